"""The command line: one verb a function, each a few lines over the package."""

import functools
import itertools
import os
import warnings
from collections.abc import Callable
from typing import Any

import click

from kerasad import runs
from kerasad.config import (
    DEFAULT_STEPS,
    DataConfig,
    ModelConfig,
    RunConfig,
    TrainingConfig,
    merge,
    read_mapping,
)
from kerasad.errors import (
    InputError,
    SearchFailedError,
    TrainingDivergedError,
    describe_machine_failure,
)
from kerasad.export import ParityError
from kerasad.export.model_card import describe_parity
from kerasad.metrics.table import format_metrics_table
from kerasad.models.adacos_modes import ADACOS_MODES, LABELLED_ADACOS_MODES
from kerasad.prediction import PREDICTIONS, predict_files
from kerasad.run_steps import calibrate_run, evaluate_run, export_run, report_run
from kerasad.training import MODELS, train_run
from kerasad.version import __version__

FOLDER = click.Path(file_okay=False)


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


def _default(section: type, name: str) -> str:
    return f"[default: {section.__dataclass_fields__[name].default}]"


def _options(*options):
    """Several click options as one decorator, listed in the order given."""

    def decorate(function):
        for option in reversed(options):
            function = option(function)
        return function

    return decorate


CONFIG_OPTION = click.option(
    "--config", type=click.Path(dir_okay=False), help="JSON; options win over it."
)
ARGUMENT_OPTIONS = _options(
    click.option("--latent", type=click.Choice(["conv", "dense"]), help="Form of the latent."),
    click.option("--latent-dim", type=int, help="Channels of the latent."),
    click.option(
        "--adacos",
        type=click.Choice([*ADACOS_MODES, *LABELLED_ADACOS_MODES, "none"]),
        help="Classes of the AdaCos term.",
    ),
)
MODEL_OPTIONS = _options(
    CONFIG_OPTION,
    click.option("--model", type=click.Choice(list(MODELS)), help=_default(ModelConfig, "name")),
    ARGUMENT_OPTIONS,
)
DATA_OPTIONS = _options(
    click.option("--image-size", help=f"256 or 256x640. {_default(DataConfig, 'image_size')}"),
    click.option("--batch-size", type=int, help=_default(DataConfig, "batch_size")),
    click.option("--split", help="Shares train,validation,calibration. [default: 0.7,0.1,0.2]"),
    click.option("--crop-size", "--tile", help="Train on crops, predict in tiles of this size."),
    click.option("--overlap", type=int, help="Pixels that tiles share. [default: 32]"),
    click.option("--max-value", type=int, help="White in 16-bit files; 4095 for 12-bit cameras."),
    click.option("--cache-megabytes", type=int, help=_default(DataConfig, "cache_megabytes")),
    click.option("--pixel-limit", type=int, help=_default(DataConfig, "pixel_limit")),
    click.option("--labelled", type=FOLDER, help="Folder of defective images to learn from."),
    click.option(
        "--labelled-share",
        type=float,
        help="Or: some test images, as a share of the training images.",
    ),
    click.option(
        "--on-bad", type=click.Choice(["skip", "raise"]), help="Files that cannot be read."
    ),
)
EPOCHS_OPTION = click.option("--epochs", type=int, help=f"[default: about {DEFAULT_STEPS} steps]")
TRAINING_OPTIONS = _options(
    EPOCHS_OPTION,
    click.option("--seed", type=int, help=_default(TrainingConfig, "seed")),
)


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
@_options(
    click.option("--false-alarm-rate", type=float, help="Of good images. [default: 0.05]"),
    click.option("--strict", is_flag=True, default=None, help="Refuse a rate not guaranteed."),
)
def train(data: str, output: str, overwrite: bool, config: str | None, **options: Any) -> None:
    """Train on the good images of DATA.

    DATA is a category in MVTec layout, a plain folder of good images, or demo/brick, demo/grass,
    demo/gravel.
    """
    run = train_run(_resolve(data, config, options), output, overwrite=overwrite, echo=click.echo)
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

    resolved = _resolve(data, config, options)
    tuning.tune(resolved, output, trials=trials, tuner=tuner, overwrite=overwrite, echo=click.echo)


@main.command()
@click.argument("data", nargs=-1, required=True, metavar="DATA...")
@click.option("--output", required=True, type=FOLDER, help="Folder of the benchmark.")
@click.option("--models", help=f"Names, with commas. {_default(ModelConfig, 'name')}")
@click.option("--seeds", help=f"Numbers, with commas. {_default(TrainingConfig, 'seed')}")
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
        _resolve(data[0], config, {**options, "model": None, "seed": None}),
        data,
        output,
        models=None if models is None else _read_list("models", models, str.strip, "names"),
        seeds=None if seeds is None else _read_list("seeds", seeds, int, "numbers such as 0,1,2"),
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


def _resolve(data: str, path: str | None, options: dict[str, Any]) -> RunConfig:
    """Defaults, under the configuration file, under the options that were given."""
    values = {} if path is None else read_mapping(path)
    if options["split"] is not None:
        options["split"] = _read_list("split", options["split"], float, "numbers such as .7,.1,.2")
    named = {name: options[name] for name in ("latent", "latent_dim", "adacos")}
    given = {
        "data": {name: options[name] for name in options if _is_field(DataConfig, name)},
        "model": {"name": options["model"], "arguments": named},
        "training": {name: options[name] for name in options if _is_field(TrainingConfig, name)},
    }
    given["data"]["path"] = data
    source = path or "the command line"
    for name, other in itertools.permutations(("labelled", "labelled_share")):
        if options[name] is not None and options[other] is None:
            # Two ways to say the same; merging would leave both.
            values = merge(values, {"data": {}}, source)
            values["data"].pop(other, None)
    return RunConfig.from_mapping(merge(values, given, source), source)


def _is_field(section: type, name: str) -> bool:
    return name in section.__dataclass_fields__


def _read_list(name: str, text: str, kind: Callable[[str], Any], what: str) -> list[Any]:
    try:
        return [kind(part) for part in text.split(",")]
    except ValueError as error:
        raise InputError(f"--{name} {text} is not {what}.") from error


@main.command()
@click.argument("run")
@click.option("--data", help="Test images. [default: the data of the run]")
def evaluate(run: str, data: str | None) -> None:
    """Measure RUN on test images; write RUN/metrics.json."""
    opened = runs.open_run(run)
    click.echo(format_metrics_table(evaluate_run(opened, data)))
    click.echo(f"Written to {opened.path / runs.METRICS}")


@main.command()
@click.argument("run")
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@click.option("--output", required=True, type=FOLDER, help="Folder for results.")
def predict(run: str, paths: tuple[str, ...], output: str) -> None:
    """Score images; write predictions.jsonl and an overlay of each.

    PATH is a file, or a folder that is searched for images. Boxes and areas are in pixels of the
    image as the model sees it.
    """
    count = predict_files(runs.open_run(run), paths, output)
    click.echo(f"{count.scored} images scored, {count.defective} called defective.")
    click.echo(f"Written to {os.path.join(output, PREDICTIONS)}")
    if count.failed:
        message = f"Files that could not be used: {count.failed} ({PREDICTIONS} says why)."
        click.echo(message, err=True)


@main.command()
@click.argument("run")
@click.option("--data", help="Good images that the run has not seen; all of them are used.")
@click.option("--false-alarm-rate", type=float, help="[default: the rate of the run]")
@click.option("--strict", is_flag=True, help="Refuse a rate that so few images don't guarantee.")
def calibrate(run: str, data: str | None, false_alarm_rate: float | None, strict: bool) -> None:
    """Set the thresholds of RUN anew; the model stays as it is."""
    opened = runs.open_run(run)
    summary = calibrate_run(opened, data, false_alarm_rate, strict)
    rate = summary["false_alarm_rate"]
    guaranteed = rate["guaranteed"]
    promise = "nothing" if guaranteed is None else f"{guaranteed:.1%}"
    click.echo(
        f"{summary['num_images']} images: threshold {summary['threshold']:.4g}, false-alarm rate "
        f"requested {rate['requested']:.1%}, guaranteed {promise}."
    )
    _tell_note(summary)
    click.echo(f"Written to {opened.path / runs.DETECTOR} and {runs.CALIBRATION}")
    if (opened.path / runs.METRICS).is_file():  # whole or not
        click.echo(f"{runs.METRICS} is from before: run `kerasad evaluate` again.")


@main.command()
@click.argument("run")
@click.option("--beside", help="Another run on the same images: its latent space is shown too.")
def report(run: str, beside: str | None) -> None:
    """Write RUN/report.html, one page that needs no other file."""
    other = None if beside is None else runs.open_run(beside)
    click.echo(f"Written to {report_run(runs.open_run(run), other)}")


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
    opened = runs.open_run(run)
    version = export_run(opened, output, data, not no_warmup, data_licence, pixel_limit)
    click.echo(describe_parity(version))
    click.echo(f"Written to {version}")
