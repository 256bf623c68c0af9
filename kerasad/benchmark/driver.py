"""A benchmark in a folder: begun, continued after an interruption, and its table."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from kerasad.benchmark.folder import DONE, PAGE, TABLE, BenchmarkFolder, open_folder
from kerasad.benchmark.measuring import measure_row
from kerasad.benchmark.page import format_page
from kerasad.benchmark.plan import PlannedRow, plan_rows
from kerasad.benchmark.published import published_for
from kerasad.benchmark.table import build_table
from kerasad.errors import InputError
from kerasad.files import replace_file, write_json
from kerasad.training.config import RunConfig


@dataclass(frozen=True)
class Benchmark:
    """A finished benchmark.

    Args:
        path: Path. Its folder.
        table: dict. The content of `benchmark.json`.
        failed: tuple of str. The rows that failed: category, model, seed and why.
    """

    path: Path
    table: dict[str, Any]
    failed: tuple[str, ...]


def run_benchmark(
    config: RunConfig,
    data: Sequence[str],
    output: str | Path,
    *,
    models: Sequence[str] | None = None,
    seeds: Sequence[int] | None = None,
    overwrite: bool = False,
    keep_runs: bool = False,
    echo: Callable[[str], None] = print,
) -> Benchmark:
    """Trains and evaluates every model on every category with every seed.

    `output` gets `rows.jsonl` (a line each, as soon as it is measured), `benchmark.json` and
    `benchmark.md` (the table, after each row), and `logs`. Called again, finished rows are not
    measured again, and failed ones are; further categories, models and seeds may be added, while
    another configuration is refused.

    Args:
        config: RunConfig. What all rows have in common; its category, and without `models` and
            `seeds` its model and seed, are the defaults of these.
        data: sequence of str. Categories, or folders of categories, see `find_categories`.
        output: str or Path. The folder of the benchmark.
        models: sequence of str or None. Names of `kerasad.training.recipes.RECIPES`.
        seeds: sequence of int or None.
        overwrite: bool. Delete an earlier benchmark instead of continuing it.
        keep_runs: bool. Keep every run, in `runs`; else it is deleted once it is measured.
        echo: function of a line of text, told what happens.

    Returns:
        The benchmark; rows that failed are in it, and the others are measured all the same.

    Raises:
        InputError: The data, an argument or `output` is of no use.
    """
    models = _unique("models", [config.model.name] if models is None else models)
    seeds = _unique("seeds", [config.training.seed] if seeds is None else seeds)
    planned = plan_rows(config, data, models, seeds)
    categories = list(dict.fromkeys(row.category for row in planned))
    path = Path(os.path.abspath(output))
    with open_folder(path, planned, overwrite) as folder:
        missing = [row for row in planned if not _is_done(folder.find(row))]
        echo(f"Categories: {', '.join(categories)}. {_describe_work(planned, missing)}")
        for number, row in enumerate(missing, 1):
            echo(f"Row {number} of {len(missing)}: {_title(row)}")
            measured = measure_row(row, folder, keep_runs)
            folder.append(measured)
            _write_table(folder, planned, categories, models, seeds)
            echo(f"  {_describe_row(measured)}")
        table, page = _write_table(folder, planned, categories, models, seeds)
        failed = [row for row in planned if not _is_done(folder.find(row))]
        reasons = tuple(f"{_title(row)}: {folder.find(row)['reason']}" for row in failed)
    echo("\n" + page.rstrip("\n"))
    return Benchmark(path, table, reasons)


def _unique(name: str, values: Sequence) -> list:
    if not values:
        raise InputError(f"`{name}` is empty: name at least one.")
    return list(dict.fromkeys(values))


def _is_done(row: dict[str, Any] | None) -> bool:
    return row is not None and row["status"] == DONE


def _title(row: PlannedRow) -> str:
    return f"{row.category}, {row.model}, seed {row.seed}"


def _describe_work(planned: Sequence[PlannedRow], missing: Sequence[PlannedRow]) -> str:
    if len(missing) < len(planned):
        return f"{len(planned) - len(missing)} of {len(planned)} rows are done."
    return f"{len(planned)} rows."


def _describe_row(row: dict[str, Any]) -> str:
    if row["status"] != DONE:
        return f"failed: {row['reason']}"
    scores = [
        f"{title} {'undefined' if row[name] is None else format(row[name], '.3f')}"
        for name, title in (("image_auroc", "image AUROC"), ("pixel_auroc", "pixel AUROC"))
    ]
    return f"{', '.join(scores)}, fit in {row['fit_seconds']:.0f} s"


def _write_table(
    folder: BenchmarkFolder,
    planned: Sequence[PlannedRow],
    categories: list[str],
    models: list[str],
    seeds: list[int],
) -> tuple[dict[str, Any], str]:
    """Writes the table of what was asked for, as far as it is measured."""
    rows = {(row.category, row.model, row.seed): folder.find(row) for row in planned}
    table = build_table(rows, categories, models, seeds)
    published = published_for(categories)
    values = {
        "date": date.today().isoformat(),
        "settings": planned[0].settings,
        **table,
        "published": [entry.to_dict() for entry in published],
    }
    write_json(folder.path / TABLE, values)
    page = format_page(table, published)
    with replace_file(folder.path / PAGE) as work:
        work.write_text(page, encoding="utf-8")
    return values, page
