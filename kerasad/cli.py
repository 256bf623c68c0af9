"""The command line: one verb a function, each a few lines over the package.

Verbs import what they run: `--help` and `--version` need no TensorFlow.
"""

import functools
import json
import warnings
from typing import Any

import click

from kerasad.cli_group import Verbs, fail, name_options, show
from kerasad.cli_options import (
    ARGUMENT_OPTIONS,
    CONFIG_OPTION,
    FOLDER,
    FOLDER_OPTIONS,
    INSPECT_OPTIONS,
    MASK_OPTION,
    SEARCHED_MODEL,
    given,
    model_options,
    read_list,
    resolve_config,
    section_options,
)
from kerasad.console import show_every_text
from kerasad.training.config import DataConfig, ModelConfig, TrainingConfig
from kerasad.version import __version__

DRIFT = 3
"""Exit code of a check that found drift."""


@click.group(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="kerasad")
def main() -> None:
    """Anomaly localization: train on good images, find what is wrong in new ones."""
    show_every_text()
    # A warning is a sentence for the user, who need not know where in the code it arose.
    restore = functools.partial(setattr, warnings, "formatwarning", warnings.formatwarning)
    click.get_current_context().call_on_close(restore)
    warnings.formatwarning = lambda text, *_, **__: f"Warning: {name_options(str(text))}\n"


@main.command()
@click.argument("data")
@click.option("--output", required=True, type=FOLDER, help="Folder of the new run.")
@click.option("--overwrite", is_flag=True, help="Replace an existing run.")
@model_options()
@section_options(DataConfig)
@section_options(TrainingConfig)
def train(data: str, output: str, overwrite: bool, config: str | None, **options: Any) -> None:
    """Train on the good images of DATA.

    DATA is a folder of good images, or of good and bad ones side by side (ok and nok, say); a split
    of your own (train, val, test); a public data set such as MVTec AD's bottle; a CSV file of
    path,label; or demo/brick, demo/grass, demo/gravel. `kerasad inspect-data DATA` shows what would
    be read.
    """
    from kerasad.runs.train import train_run

    resolved = resolve_config(data, config, options)
    train_run(resolved, output, overwrite=overwrite, echo=show)


@main.command()
@click.argument("data")
@click.option("--output", required=True, type=FOLDER, help="Folder of the search.")
@click.option(
    "--trials",
    type=int,
    default=10,
    show_default=True,
    help="Number of trials, failed ones included.",
)
@click.option(
    "--tuner",
    type=click.Choice(["random", "bayesian", "hyperband"]),
    default="random",
    show_default=True,
    help="How trials are chosen.",
)
@click.option(
    "--overwrite", is_flag=True, help="Delete an existing search instead of continuing it."
)
@model_options(SEARCHED_MODEL)
@section_options(DataConfig)
@section_options(TrainingConfig, "epochs", "seed")
def tune(
    data: str,
    output: str,
    trials: int,
    tuner: str,
    overwrite: bool,
    config: str | None,
    **options: Any,
) -> None:
    """Search for a better configuration for the good images of DATA.

    The objective of a trial: how well its detector finds synthetic defects on validation images.
    Model options, and model arguments in --config, are kept as they are; the rest is searched.
    A search that was stopped continues when started again.
    """
    from kerasad import tuning

    resolved = resolve_config(data, config, options, SEARCHED_MODEL)
    tuning.tune(resolved, output, trials=trials, tuner=tuner, overwrite=overwrite, echo=show)


@main.command()
@click.argument("data", nargs=-1, required=True, metavar="DATA...")
@click.option("--output", required=True, type=FOLDER, help="Folder of the benchmark.")
@click.option("--models", help=f"Names, with commas. [default: {ModelConfig().name}]")
@click.option("--seeds", help=f"Numbers, with commas. [default: {TrainingConfig().seed}]")
@click.option(
    "--overwrite", is_flag=True, help="Delete an existing benchmark instead of continuing it."
)
@click.option("--keep-runs", is_flag=True, help="Keep every run; else only its numbers.")
@CONFIG_OPTION
@ARGUMENT_OPTIONS
@section_options(DataConfig)
@section_options(TrainingConfig, "epochs")
def benchmark(
    data: tuple[str, ...],
    output: str,
    models: str | None,
    seeds: str | None,
    overwrite: bool,
    keep_runs: bool,
    config: str | None,
    **options: Any,
) -> None:
    """Train and evaluate models on the categories DATA, and write one table.

    Each DATA is what `kerasad train` takes, or a folder of categories. A benchmark that was stopped
    continues when started again: it measures the rows that are missing or failed. Categories,
    models and seeds can be added.
    """
    from kerasad.runs.benchmark import run_benchmark

    table = run_benchmark(
        resolve_config(data[0], config, options),
        data,
        output,
        models=() if models is None else read_list("models", models, str.strip, "names"),
        seeds=() if seeds is None else read_list("seeds", seeds, int, "numbers such as 0,1,2"),
        overwrite=overwrite,
        keep_runs=keep_runs,
        echo=show,
    )
    click.echo(f"\nWritten to {output}")
    if table["failed"]:
        fail(f"Rows failed: {' | '.join(table['failed'])}", 1)


@main.command()
@click.argument("run")
@click.option("--data", help="Test images. [default: the data of the run]")
@FOLDER_OPTIONS
@MASK_OPTION
def evaluate(run: str, data: str | None, mask_foreground: str | None, **folders: Any) -> None:
    """Measure RUN on test images; write RUN/metrics.json.

    The file holds the last evaluation, which `kerasad report` shows; a note says if metrics of
    other data are replaced.
    --data takes what `kerasad train` does, a folder of test images such as test/good and test/bad,
    or a folder of defective ones alone. What the run has seen is left out or refused.
    """
    from kerasad.metrics.table import format_metrics_table
    from kerasad.runs.evaluate import evaluate_run
    from kerasad.runs.folder import METRICS
    from kerasad.runs.run import open_run

    opened = open_run(run)
    metrics = evaluate_run(
        opened, data, folders=given(folders), mask_foreground=mask_foreground, echo=show
    )
    click.echo(format_metrics_table(metrics))
    click.echo(f"Metrics of {metrics['data']} written to {opened.path / METRICS}")


@main.command()
@click.argument("run")
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@click.option("--output", required=True, type=FOLDER, help="Folder for the results.")
def predict(run: str, paths: tuple[str, ...], output: str) -> None:
    """Score images; write predictions.jsonl, predictions.csv and an overlay of each.

    PATH is a file, or a folder that is searched for images. Boxes and areas are in pixels of the
    image as the model sees it, and of the file. Overlays of earlier predictions and masks of
    a data set are not read.
    Earlier results in the folder --output are replaced as a whole, and no other file in it.
    """
    from kerasad.runs.predict import describe_results, predict_files
    from kerasad.runs.run import open_run

    count = predict_files(open_run(run), paths, output, in_words=name_options)
    click.echo(describe_results(count, output))
    if count.failed:
        click.echo(f"Files that could not be used: {count.failed} (both lists say why).", err=True)


@main.command()
@click.argument("run")
@click.option("--data", help="Good images that the run has not seen; all of them are used.")
@FOLDER_OPTIONS
@click.option("--group-by", help="As for `train`. [default: what the run says]")
@click.option("--false-alarm-rate", type=float, help="[default: the rate of the run]")
@click.option(
    "--review-rate",
    type=float,
    help="As for `train`; 0: no review band. [default: the rate of the run]",
)
@click.option("--strict", is_flag=True, help="Refuse a rate that is not guaranteed.")
def calibrate(
    run: str,
    data: str | None,
    false_alarm_rate: float | None,
    review_rate: float | None,
    strict: bool,
    **folders: Any,
) -> None:
    """Set the thresholds of RUN anew; the model stays as it is."""
    from kerasad.runs.calibrate import calibrate_run, describe_calibration
    from kerasad.runs.folder import CALIBRATION, DETECTOR, METRICS
    from kerasad.runs.run import open_run

    opened = open_run(run)
    rates = false_alarm_rate, review_rate, strict
    summary = calibrate_run(opened, data, *rates, folders=given(folders), echo=show)
    click.echo(describe_calibration(summary))
    if summary["note"]:
        click.echo(f"Note: {summary['note']}")
    click.echo(f"Written to {opened.path / DETECTOR} and {CALIBRATION}")
    if (opened.path / METRICS).is_file():
        click.echo(f"{METRICS} belongs to the former thresholds: run `kerasad evaluate` again.")


@main.command()
@click.argument("run")
@click.option("--data", required=True, help="Good images; those that RUN knows are left out.")
@click.option("--output", required=True, type=FOLDER, help="Folder of the new run.")
@FOLDER_OPTIONS
@click.option("--group-by", help="As for `train`. [default: what the run says]")
def update(run: str, data: str, output: str, **folders: Any) -> None:
    """Write a new run that adds new good images to what RUN has learnt.

    The new images alone set its thresholds. RUN stays as it is, and its images need not be there.
    For models that train no network.
    """
    from kerasad.runs.run import open_run
    from kerasad.runs.update import update_run

    updated = update_run(open_run(run), data, output, folders=given(folders), echo=show)
    click.echo(f"The run is in {updated.path}. RUN is as it was.")


@main.command()
@click.argument("run")
@click.option("--data", required=True, help="Good images that the run has not seen.")
@FOLDER_OPTIONS
@click.option(
    "--level", type=float, default=0.05, show_default=True, help="Probability of a false alarm."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def check(run: str, data: str, level: float, as_json: bool, **folders: Any) -> None:
    """Tell whether new good images still look like those that calibrated RUN.

    Nothing is changed. Exit code 0: no drift found; 3: drift; 2: an error, as of too few images.
    """
    from kerasad.detector.drift import describe_drift
    from kerasad.runs.check import check_run
    from kerasad.runs.run import open_run

    found = check_run(
        open_run(run),
        data,
        level,
        verbose=not as_json,
        folders=given(folders),
        echo=functools.partial(show, err=as_json),
    )
    click.echo(json.dumps(found) if as_json else describe_drift(found))
    click.get_current_context().exit(DRIFT if found["drift"] else 0)


@main.command()
@click.argument("data")
@click.option("--output", default="contact_sheet.png", show_default=True, help="PNG file.")
@INSPECT_OPTIONS
def inspect_data(data: str, output: str, **options: Any) -> None:
    """Show what would be read from DATA, as what; write a contact sheet of it."""
    from kerasad.runs import inspect_data as inspecting

    show(inspecting.inspect_data(DataConfig(data, **given(options)), output))
    click.echo(f"Written to {output}")


@main.command()
@click.argument("run")
@click.argument("others", nargs=-1, metavar="[RUN...]")
def report(run: str, others: tuple[str, ...]) -> None:
    """Write RUN/report.html, one page that needs no other file; more runs are side by side."""
    from kerasad.runs.report import report_run
    from kerasad.runs.run import open_run

    click.echo(f"Written to {report_run(open_run(run), *map(open_run, others))}")


@main.command()
@click.argument("run")
@click.option("--output", required=True, type=FOLDER, help="Folder of the model: saved_models/NAME")
@click.option("--data", help="Images to compare on. [default: the run's own good images]")
@click.option("--no-warmup", is_flag=True, help="Leave out the warm-up requests.")
@click.option(
    "--data-licence",
    default="not known",
    help="Licence of the training images, for the model card.",
)
@click.option(
    "--pixel-limit",
    type=click.IntRange(min=1),
    help="Larger files are refused. [default: 4 times the run's largest, at least 4 megapixels]",
)
def export(
    run: str,
    output: str,
    data: str | None,
    no_warmup: bool,
    data_licence: str,
    pixel_limit: int | None,
) -> None:
    """Write RUN as the next version of a model for TensorFlow Serving.

    The version appears only if its answers in a fresh process are those of RUN's detector.
    """
    from kerasad.export.saved_model import describe_parity
    from kerasad.export.sendable import describe_unsendable
    from kerasad.runs.export import export_run
    from kerasad.runs.run import open_run

    opened = open_run(run)
    version = export_run(opened, output, data, not no_warmup, data_licence, pixel_limit)
    click.echo(describe_parity(version))
    if note := describe_unsendable(version):
        click.echo(f"Note: {note}")
    click.echo(f"Written to {version}")
