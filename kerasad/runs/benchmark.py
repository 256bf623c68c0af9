"""The verb `benchmark`: many trainings in one table; killed at any moment, it can be continued."""

import dataclasses
import hashlib
import itertools
import json
import os
import platform
import shutil
import time
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path
from typing import Any

from kerasad.data import read_category
from kerasad.data.split import PARTS
from kerasad.errors import InputError
from kerasad.files import (
    parse_json,
    read_json,
    refuse_other_work,
    replace_file,
    work_folder,
    write_json,
)
from kerasad.memory import peak_memory_mb
from kerasad.models.health import noted_collapses
from kerasad.runs.benchmark_table import DONE, FAILED, build_table, format_table
from kerasad.runs.evaluate import evaluate_run
from kerasad.runs.folder import DETECTOR
from kerasad.runs.own_process import ProcessFailedError, call_in_process
from kerasad.runs.run import open_run
from kerasad.runs.train import train_run
from kerasad.training.config import DataConfig, RunConfig
from kerasad.training.locations import find_categories, resolve_data, with_full_paths
from kerasad.training.recipes import drop_training, find_recipe, resolve_arguments
from kerasad.version import __version__

ROWS = "rows.jsonl"
TABLE = "benchmark.json"
PAGE = "benchmark.md"
RUNS = "runs"
LOGS = "logs"

Key = tuple[str, str, int]
Row = dict[str, Any]


def run_benchmark(
    config: RunConfig,
    data: Sequence[str],
    output: str | Path,
    *,
    models: Sequence[str] = (),
    seeds: Sequence[int] = (),
    overwrite: bool = False,
    keep_runs: bool = False,
    echo: Callable[[str], None] = print,
) -> dict[str, Any]:
    """Trains and evaluates every model on every category with every seed.

    `output` gets `rows.jsonl` (a line for each training), `benchmark.json` and `benchmark.md` (the
    table) and `logs`. Called again, it measures the rows that are missing or failed; categories,
    models and seeds can be added, other settings are refused.

    Args:
        config: RunConfig. The settings of all rows, and the default of `models` and `seeds`.
        data: sequence of str. Categories, or folders of categories, see `find_categories`.
        output: str or Path. The folder of the benchmark.
        models: sequence of str. Names of recipes.
        seeds: sequence of int.
        overwrite: bool. Delete an earlier benchmark instead of continuing it.
        keep_runs: bool. Keep the runs in `runs`; otherwise each is deleted once it is measured.
        echo: function that prints a line of text.

    Returns:
        The content of `benchmark.json`, see `build_table`, and `failed`: list of str, the rows that
        failed and why.

    Raises:
        InputError: The data, an argument or `output` cannot be used.
    """
    categories = find_categories(data, by_hand=any(config.data.folders.values()))
    planned = _plan(config, categories, models, seeds)
    images = {name: _hash_images(config.data, path) for name, path in categories.items()}
    path = Path(os.path.abspath(output))
    runs = [f"{RUNS}/{_name(key)}" for key in planned]
    with work_folder(path, "benchmark", (*runs, LOGS, ROWS, PAGE, TABLE), overwrite):
        plan = _continue_plan(path, config, images)
        rows = _read_rows(path / ROWS)
        page = _write_table(path, plan, planned, rows)
        missing = [key for key in planned if rows.get(key, {}).get("status") != DONE]
        done = len(planned) - len(missing)
        echo(f"Categories: {', '.join(categories)}. {done} of {len(planned)} rows are done.")
        for number, key in enumerate(missing, 1):
            echo(f"Row {number} of {len(missing)}: {_title(key)}")
            rows[key] = _measure_logged(planned[key], key, path, keep_runs)
            with replace_file(path / ROWS) as work:
                lines = [json.dumps(row, allow_nan=False) for row in rows.values()]
                work.write_text("\n".join(lines) + "\n", encoding="utf-8")
            page = _write_table(path, plan, planned, rows)
            echo(f"  {rows[key].get('reason', 'done')}")
    echo(f"\n{page.rstrip()}")
    failed = [key for key in planned if rows[key]["status"] != DONE]
    reasons = [f"{_title(key)}: {rows[key]['reason']}" for key in failed]
    return {**read_json(path / TABLE), "failed": reasons}


def _measure_logged(config: RunConfig, key: Key, path: Path, keep_run: bool) -> Row:
    """Returns a row with what it is of; its output is in `logs`."""
    run, log = path / RUNS / _name(key), path / LOGS / f"{_name(key)}.txt"
    log.parent.mkdir(exist_ok=True)
    log.unlink(missing_ok=True)
    row = measure_row(config, run, log)
    if not keep_run:
        shutil.rmtree(run, ignore_errors=True)
    identity = dict(zip(("category", "model", "seed"), key, strict=True))
    machine = f"{platform.machine()}, {os.cpu_count()} cores"
    return {**row, **identity, "date": date.today().isoformat(), "machine": machine}


def measure_row(config: RunConfig, run: Path, log: Path) -> Row:
    """Trains and evaluates one row, each in a process of its own."""
    try:
        costs = call_in_process(_train, config, run, log=log)
        call_in_process(_evaluate, run, log=log)
    except ProcessFailedError as error:
        return {"status": FAILED, "reason": str(error)}
    opened = open_run(run)
    metrics, provenance = opened.metrics, opened.provenance
    return {
        "status": DONE,
        **costs,
        **metrics,
        "model_mb": opened.part(DETECTOR).stat().st_size / 2**20,
        "train_images": len(provenance.images("train")),
        "good_images": sum(len(provenance.images(part)) for part in PARTS),
    }


def _train(config: RunConfig, run: Path) -> Row:
    started = time.perf_counter()
    with noted_collapses() as collapses:
        # A run without a row was left by a benchmark that was killed between the two.
        train_run(config, run, overwrite=True, verbose=0)
    seconds = round(time.perf_counter() - started, 3)
    costs = {"fit_seconds": seconds, "fit_memory_mb": peak_memory_mb()}
    return {**costs, "collapses": collapses}


def _evaluate(run: Path) -> None:
    evaluate_run(open_run(run), verbose=0)


def _plan(
    config: RunConfig, categories: dict[str, str], models: Sequence[str], seeds: Sequence[int]
) -> dict[Key, RunConfig]:
    """The configuration of each row; refuses what no row could be trained with."""
    models = list(dict.fromkeys(models or [config.model.name]))
    seeds = list(dict.fromkeys(seeds or [config.training.seed]))
    for model in models:
        resolve_arguments(dataclasses.replace(config.model, name=model), 0)
        has_labelled = config.data.labelled is not None or config.data.labelled_share is not None
        if find_recipe(model).model_class.learns_from_labels and not has_labelled:
            raise InputError(
                f"{model} learns from some images labelled defective: set --labelled-share, or "
                "leave it out of --models."
            )
    if config.data.labelled is not None and len(categories) > 1:
        raise InputError(
            f"--labelled {config.data.labelled} is of one category, and there are "
            f"{len(categories)}: use --labelled-share."
        )

    def configure(category: str, model: str, seed: int) -> RunConfig:
        recipe = dataclasses.replace(config.model, name=model)
        training = dataclasses.replace(drop_training(recipe, config.training), seed=seed)
        data = dataclasses.replace(config.data, path=categories[category])
        return with_full_paths(RunConfig(data, recipe, training))

    return {key: configure(*key) for key in itertools.product(categories, models, seeds)}


def _hash_images(config: DataConfig, path: str) -> str:
    """A hash of all images and masks of a category, and of which image is what."""
    # Each training decodes the images anyway; headers and contents are enough here.
    index = read_category(resolve_data(path), verify=False, **config.reading)
    if not index.test:
        raise InputError(
            f"{path} has no test image, so there is nothing to measure: put good ones into "
            "test/good and defective ones into test/<defect>, or leave it out."
        )
    lines = [f"train {record.content_hash}" for record in index.good]
    for record in index.test:
        mask = b"".join(Path(path).read_bytes() for path in record.mask_paths)
        lines.append(f"{record.defect} {record.content_hash} {hashlib.sha256(mask).hexdigest()}")
    return hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()[:16]


def _continue_plan(path: Path, config: RunConfig, images: dict[str, str]) -> dict[str, Any]:
    """What all rows have in common; refuses what can't be compared with the rows in the folder."""
    settings = dataclasses.asdict(with_full_paths(config))
    del settings["data"]["path"], settings["model"]["name"], settings["training"]["seed"]
    wanted = {"kerasad": __version__, "settings": settings, "images": images}
    if not (path / TABLE).exists():
        return wanted
    table = read_json(path / TABLE)
    found = {name: table.get(name, {}) for name in wanted}
    wanted["images"] = {**found["images"], **images}
    found["images"] = {**images, **found["images"]}
    refuse_other_work(path, "benchmark", found, wanted)
    return wanted


def _read_rows(path: Path) -> dict[Key, Row]:
    rows = {}
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    for number, line in enumerate(lines, 1):
        try:
            row = parse_json(line)
            rows[row["category"], row["model"], row["seed"]] = {"status": row["status"], **row}
        except (ValueError, TypeError, KeyError) as error:
            raise InputError(
                f"{path}, line {number}: this is not a benchmark row ({error}): restore the file "
                "from a copy, or pass --overwrite."
            ) from error
    return rows


def _write_table(
    path: Path, plan: dict[str, Any], planned: dict[Key, RunConfig], rows: dict[Key, Row]
) -> str:
    table = build_table({key: rows.get(key) for key in planned})
    write_json(path / TABLE, {"date": date.today().isoformat(), **plan, **table})
    page = format_table(table)
    with replace_file(path / PAGE) as work:
        work.write_text(page, encoding="utf-8")
    return page


def _name(key: Key) -> str:
    return "{}_{}_seed{}".format(*key)


def _title(key: Key) -> str:
    return "{}, {}, seed {}".format(*key)
