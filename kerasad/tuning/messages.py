"""What a search tells: its budget, the result of each trial, and a table of all trials."""

from typing import Any

from kerasad.tuning.objective import OBJECTIVE


def describe_budget(plan: list[tuple[int, int]], steps_per_epoch: int) -> str:
    """Returns the cost of a search.

    Args:
        plan: list of the first and the last epoch of each trial.
        steps_per_epoch: int.
    """
    total = sum(last - first for first, last in plan)
    longest = max(last for _, last in plan)
    if all(span == (0, longest) for span in plan):
        what = f"{len(plan)} trials of {longest} epochs"
    else:
        kinds = dict.fromkeys(plan)
        parts = [f"{plan.count(span)} from epoch {span[0]} to {span[1]}" for span in kinds]
        what = f"{len(plan)} trials ({', '.join(parts)})"
    return (
        f"Budget: {what}, {total} epochs or {total * steps_per_epoch} training steps in all, and "
        "a detector for each trial."
    )


def describe_trial(rows: list[dict[str, Any]], plan: list[tuple[int, int]]) -> str:
    """Returns the result of the last trial, and about how long the remaining ones take.

    Args:
        rows: list of dicts, see `kerasad.tuning.running.run_trials`.
        plan: list of the first and the last epoch of each trial.
    """
    row = rows[-1]
    if row["status"] == "failed":
        result = f"failed: {row['reason']}"
    else:
        values = [row[OBJECTIVE.name] for row in rows if row["status"] == "completed"]
        result = f"{row[OBJECTIVE.name]:.4f}, best {max(values):.4f}"
    epochs = sum(row["epochs"] - row["first_epoch"] for row in rows)
    rate = sum(row["seconds"] for row in rows) / max(epochs, 1)
    minutes = max(1, round(rate * sum(last - first for first, last in plan[len(rows) :]) / 60))
    left = f"about {minutes} min left" if len(rows) < len(plan) else "the last one"
    return (
        f"Trial {len(rows)} of {len(plan)}: {result}, {row['seconds']:.0f} s, {left}\n"
        f"  {_format_values(row['values'])}"
    )


def format_trials(rows: list[dict[str, Any]]) -> str:
    """Returns a table, the best trial first, failed ones last with their reasons.

    Args:
        rows: list of dicts, see `kerasad.tuning.running.run_trials`.
    """
    order = sorted(
        rows, key=lambda row: -1.0 if row[OBJECTIVE.name] is None else row[OBJECTIVE.name]
    )
    cells = [("trial", OBJECTIVE.name, "epochs", "seconds", "values")]
    for row in reversed(order):
        value = row[OBJECTIVE.name]
        cells.append(
            (
                str(row["trial"]),
                row["status"] if value is None else f"{value:.4f}",
                str(row["epochs"]),
                "-" if row["seconds"] is None else f"{row['seconds']:.0f}",
                row["reason"] or _format_values(row["values"]),
            )
        )
    *widths, _ = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = []
    for *numbers, last in cells:
        lines.append("  ".join([*map(str.rjust, numbers, widths), last]))
    return "\n".join(lines)


def _format_values(values: dict[str, Any]) -> str:
    """Returns hyperparameters as `name=value`, numbers with three digits."""
    shown = {k: f"{v:.3g}" if isinstance(v, float) else v for k, v in values.items()}
    return " ".join(f"{name}={value}" for name, value in shown.items())
