"""The command line: one verb a function, each a few lines over the package."""

import functools
import json
import os
import warnings
from typing import Any

import click

from kerasad.cli_options import (
    ARGUMENT_OPTIONS,
    CONFIG_OPTION,
    DATA_OPTIONS,
    EPOCHS_OPTION,
    FOLDER,
    MODEL_OPTIONS,
    TRAINING_OPTIONS,
    combine_options,
    read_list,
    resolve_config,
    show_default,
)
from kerasad.detector.drift import describe_drift
from kerasad.errors import (
    InputError,
    SearchFailedError,
    TrainingDivergedError,
    describe_machine_failure,
)
from kerasad.export import ParityError
from kerasad.export.model_card import describe_parity
from kerasad.metrics.table import format_metrics_table
from kerasad.runs.calibrate import calibrate_run, describe_calibration
from kerasad.runs.check import check_run
from kerasad.runs.evaluate import evaluate_run
from kerasad.runs.export import export_run
from kerasad.runs.predict import PREDICTIONS, predict_files
from kerasad.runs.report import report_run
from kerasad.runs.run import CALIBRATION, DETECTOR, METRICS, open_run
from kerasad.runs.train import train_run
from kerasad.training.config import ModelConfig, TrainingConfig
from kerasad.version import __version__

DRIFT = 3
"""Exit code of a check that found drift."""


class Verbs(click.Group):
    """Turns what a user can put right into one sentence and an exit code."""

    def invoke(self, context: click.Context) -> Any:
        """Runs a verb: 2 for bad input, 1 for a training, search, export or disk that failed."""
        try:
            return super().invoke(context)
        except InputError as error:
            return _fail(context, error, 2)
        except (TrainingDivergedError, SearchFailedError, ParityError) as error:
            return _fail(context, error, 1)
        except Exception as error:
            sentence = describe_machine_failure(error)
            if sentence is None:
                raise
            return _fail(context, sentence, 1)


def _fail(context: click.Context, error: Exception | str, code: int) -> None:
    click.echo(f"kerasad: {error}", err=True)
    context.exit(code)


@click.group(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="kerasad")
def main() -> None:
    """Anomaly localization: train on good images, find what is wrong in new ones."""
    # A warning of ours is a sentence for the user; where in the code it arose is not for them.
    restore = functools.partial(setattr, warnings, "formatwarning", warnings.formatwarning)
    click.get_current_context().call_on_close(restore)
    warnings.formatwarning = lambda message, *_, **__: f"Warning: {message}\n"


@main.command()
@click.argument("data")
@click.option("--output", required=True, type=FOLDER, help="Folder of the new run.")
@click.option("--overwrite", is_flag=True, help="Replace an existing run.")
@MODEL_OPTIONS
@DATA_OPTIONS
@TRAINING_OPTIONS
@combine_options(
    click.option("--false-alarm-rate", type=float, help="Of good images. [default: 0.05]"),
    click.option("--review-rate", type=float, help="Of good images not called good: a band."),
    click.option("--strict", is_flag=True, default=None, help="Refuse a rate not guaranteed."),
)
def train(data: str, output: str, overwrite: bool, config: str | None, **options: Any) -> None:
    """Train on the good images of DATA.

    DATA is a category in MVTec layout, a plain folder of good images, or demo/brick, demo/grass,
    demo/gravel.
    """
    run = train_run(
        resolve_config(data, config, options), output, overwrite=overwrite, echo=click.echo
    )
    _tell_note(run.calibration)


@main.command()
@click.argument("data")
@click.option("--output", required=True, type=FOLDER, help="Folder of the search.")
@click.option("--trials", type=int, default=10, show_default=True, help="Failed ones included.")
@click.option(
    "--tuner",
    type=click.Choice(["random", "bayesian", "hyperband"]),
    default="random",
    show_default=True,
    help="How trials are chosen.",
)
@click.option("--overwrite", is_flag=True, help="Delete an earlier search; else it goes on.")
@MODEL_OPTIONS
@DATA_OPTIONS
@TRAINING_OPTIONS
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

    Each trial is judged by how well its detector finds synthetic defects on validation images.
    Model options, and model arguments in --config, are kept as they are; the rest is searched.
    A search that was stopped goes on when started again.
    """
    from kerasad import tuning

    resolved = resolve_config(data, config, options)
    tuning.tune(resolved, output, trials=trials, tuner=tuner, overwrite=overwrite, echo=click.echo)


@main.command()
@click.argument("data", nargs=-1, required=True, metavar="DATA...")
@click.option("--output", required=True, type=FOLDER, help="Folder of the benchmark.")
@click.option("--models", help=f"Names, with commas. {show_default(ModelConfig, 'name')}")
@click.option("--seeds", help=f"Numbers, with commas. {show_default(TrainingConfig, 'seed')}")
@click.option("--overwrite", is_flag=True, help="Delete an earlier benchmark; else it goes on.")
@click.option("--keep-runs", is_flag=True, help="Keep every run; else only its numbers.")
@CONFIG_OPTION
@ARGUMENT_OPTIONS
@DATA_OPTIONS
@EPOCHS_OPTION
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
    """Train and evaluate models on the categories DATA: one table, published numbers beside it.

    Each DATA is a category in MVTec layout, demo/brick, demo/grass, demo/gravel, or a folder of
    categories. A benchmark that was stopped goes on when started again; rows that failed are tried
    again, and further categories, models and seeds are added.
    """
    from kerasad.benchmark import run_benchmark

    found = run_benchmark(
        resolve_config(data[0], config, {**options, "model": None, "seed": None}),
        data,
        output,
        models=None if models is None else read_list("models", models, str.strip, "names"),
        seeds=None if seeds is None else read_list("seeds", seeds, int, "numbers such as 0,1,2"),
        overwrite=overwrite,
        keep_runs=keep_runs,
        echo=click.echo,
    )
    click.echo(f"\nWritten to {found.path}")
    if found.failed:
        _fail(click.get_current_context(), f"Rows failed: {' | '.join(found.failed)}", 1)


def _tell_note(calibration: dict[str, Any]) -> None:
    if calibration["note"]:
        click.echo(f"Note: {calibration['note']}")


@main.command()
@click.argument("run")
@click.option("--data", help="Test images. [default: the data of the run]")
def evaluate(run: str, data: str | None) -> None:
    """Measure RUN on test images; write RUN/metrics.json."""
    opened = open_run(run)
    click.echo(format_metrics_table(evaluate_run(opened, data)))
    click.echo(f"Written to {opened.path / METRICS}")


@main.command()
@click.argument("run")
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@click.option("--output", required=True, type=FOLDER, help="Folder for results.")
def predict(run: str, paths: tuple[str, ...], output: str) -> None:
    """Score images; write predictions.jsonl and an overlay of each.

    PATH is a file, or a folder that is searched for images. Boxes and areas are in pixels of the
    image as the model sees it, and of the file.
    """
    count = predict_files(open_run(run), paths, output)
    look = "" if count.look is None else f", {count.look} to be looked at"
    click.echo(f"{count.scored} images scored, {count.defective} called defective{look}.")
    click.echo(f"Written to {os.path.join(output, PREDICTIONS)}")
    if count.failed:
        message = f"Files that could not be used: {count.failed} ({PREDICTIONS} says why)."
        click.echo(message, err=True)


@main.command()
@click.argument("run")
@click.option("--data", help="Good images that the run has not seen; all of them are used.")
@click.option("--false-alarm-rate", type=float, help="[default: the rate of the run]")
@click.option(
    "--review-rate",
    type=float,
    help="Of good images not called good; 0 is none. [default: the run's]",
)
@click.option("--strict", is_flag=True, help="Refuse a rate that so few images don't guarantee.")
@click.option("--check", is_flag=True, help="Only tell whether the images of --data have drifted.")
@click.option("--level", type=float, help="Of --check: its rate of false alarms. [default: 0.05]")
@click.option("--json", "as_json", is_flag=True, help="Of --check: print one JSON object.")
def calibrate(
    run: str,
    data: str | None,
    false_alarm_rate: float | None,
    review_rate: float | None,
    strict: bool,
    check: bool,
    level: float | None,
    as_json: bool,
) -> None:
    """Set the thresholds of RUN anew; the model stays as it is.

    With --check nothing is changed: it tells whether the good images of --data still look like
    those that set the thresholds. Exit code 0: no drift found, 3: drift.
    """
    opened = open_run(run)
    if check:
        if strict or false_alarm_rate is not None or review_rate is not None:
            raise InputError(
                "--check changes nothing: leave out --false-alarm-rate, --review-rate and --strict."
            )
        found = check_run(opened, data, 0.05 if level is None else level, verbose=not as_json)
        click.echo(json.dumps(found) if as_json else describe_drift(found))
        click.get_current_context().exit(DRIFT if found["drift"] else 0)
    if level is not None or as_json:
        raise InputError("--level and --json belong to --check: add it, or leave them out.")
    summary = calibrate_run(opened, data, false_alarm_rate, review_rate, strict)
    click.echo(describe_calibration(summary))
    _tell_note(summary)
    click.echo(f"Written to {opened.path / DETECTOR} and {CALIBRATION}")
    if (opened.path / METRICS).is_file():  # whole or not
        click.echo(f"{METRICS} is from before: run `kerasad evaluate` again.")


@main.command()
@click.argument("run")
@click.option("--beside", help="Another run on the same images: its latent space is shown too.")
def report(run: str, beside: str | None) -> None:
    """Write RUN/report.html, one page that needs no other file."""
    other = None if beside is None else open_run(beside)
    click.echo(f"Written to {report_run(open_run(run), other)}")


@main.command()
@click.argument("run")
@click.option("--output", required=True, type=FOLDER, help="Folder of the model: saved_models/NAME")
@click.option("--data", help="Images to compare on. [default: the run's calibration images]")
@click.option("--no-warmup", is_flag=True, help="Leave out the warm-up requests.")
@click.option("--data-licence", default="not known", help="Of the images, for the model card.")
@click.option("--pixel-limit", type=int, help="Larger files are refused. [default: the run's]")
def export(
    run: str,
    output: str,
    data: str | None,
    no_warmup: bool,
    data_licence: str,
    pixel_limit: int | None,
) -> None:
    """Write RUN as the next version of a model for TensorFlow Serving.

    The version appears only if a fresh process gets from it what RUN's detector answers.
    """
    opened = open_run(run)
    version = export_run(opened, output, data, not no_warmup, data_licence, pixel_limit)
    click.echo(describe_parity(version))
    click.echo(f"Written to {version}")
