"""All trials of a search as rows: for a file, and as a table."""

from typing import Any

from keras_tuner.engine.trial import TrialStatus

from kerasad.tuning.objective import OBJECTIVE


def trial_rows(tuner) -> list[dict[str, Any]]:
    """Returns the trials in the order of their beginning.

    Args:
        tuner: DetectorTuner.

    Returns:
        list of dicts, ready for JSON: `trial` (from 1), `status` (`completed`, `failed` or
        `running`), the objective under its name (None unless completed), `reason` (of a failed
        one), `continues` (the trial that it trained on, or None), `first_epoch`, `epochs` (the last
        one), `seconds`, `values` (of the hyperparameters).
    """
    trials = tuner.oracle.trials
    numbers = {trial_id: index + 1 for index, trial_id in enumerate(tuner.oracle.start_order)}
    rows = []
    for trial_id, number in numbers.items():
        trial = trials[trial_id]
        values = trial.hyperparameters.values
        first, last = tuner.epochs(trial)
        rows.append(
            {
                "trial": number,
                "status": trial.status.lower(),
                OBJECTIVE.name: trial.score,
                "reason": failure_reason(trial),
                "continues": numbers.get(values.get("tuner/trial_id")),
                "first_epoch": first,
                "epochs": last,
                "seconds": tuner.seconds.get(trial_id),
                "values": {k: v for k, v in values.items() if not k.startswith("tuner/")},
            }
        )
    return rows


def failure_reason(trial) -> str | None:
    """Returns the last line of a failed trial's traceback, without the error's class."""
    if trial.status != TrialStatus.FAILED:
        return None
    lines = (trial.message or "unknown").strip().splitlines()
    head, _, rest = lines[-1].partition(": ")
    return rest if head.endswith("FailedTrialError") and rest else lines[-1]


def format_trials(rows: list[dict[str, Any]]) -> str:
    """Returns a table, the best trial first, failed ones last with their reasons."""
    order = sorted(
        rows, key=lambda row: -1.0 if row[OBJECTIVE.name] is None else row[OBJECTIVE.name]
    )
    cells = [("trial", OBJECTIVE.name, "epochs", "seconds", "values")]
    for row in reversed(order):
        value = row[OBJECTIVE.name]
        what = format_values(row["values"]) if row["reason"] is None else row["reason"]
        cells.append(
            (
                str(row["trial"]),
                row["status"] if value is None else f"{value:.4f}",
                str(row["epochs"]),
                "-" if row["seconds"] is None else f"{row['seconds']:.0f}",
                what,
            )
        )
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    widths[-1] = 0
    lines = []
    for row in cells:
        *numbers, last = (cell.rjust(width) for cell, width in zip(row, widths, strict=True))
        lines.append("  ".join([*numbers, last]))
    return "\n".join(lines)


def format_values(values: dict[str, Any]) -> str:
    """Returns hyperparameters as `name=value`, numbers with three digits."""
    shown = {k: f"{v:.3g}" if isinstance(v, float) else v for k, v in values.items()}
    return " ".join(f"{name}={value}" for name, value in shown.items())
