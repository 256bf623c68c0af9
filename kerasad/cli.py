"""The command line: one verb a function, each a few lines over the package.

Verbs import what they run: `--help` and `--version` need no TensorFlow.
"""

import dataclasses
import functools
import warnings
from typing import Any

import click

from kerasad.cli_group import Verbs, name_options, show, words_of_verb
from kerasad.cli_many import benchmark, tune
from kerasad.cli_options import (
    FOLDER,
    FOLDER_OPTIONS,
    INSPECT_OPTIONS,
    MASK_OPTION,
    ROI_OPTION,
    given,
    model_options,
    resolve_config,
    section_options,
)
from kerasad.cli_output import Outcome, Values, asked_for
from kerasad.console import show_every_text
from kerasad.training.config import DataConfig, TrainingConfig
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


main.add_command(tune)
main.add_command(benchmark)


@main.command()
@click.argument("data")
@click.option("--output", required=True, type=FOLDER, help="Folder of the new run.")
@click.option("--overwrite", is_flag=True, help="Replace an existing run.")
@click.option(
    "--tensorboard",
    type=FOLDER,
    help="Folder for TensorBoard: curves, pictures and codes of the training.",
)
@model_options()
@section_options(DataConfig)
@section_options(TrainingConfig)
def train(
    data: str,
    output: str,
    overwrite: bool,
    tensorboard: str | None,
    config: str | None,
    **options: Any,
) -> Values:
    """Train on the good images of DATA.

    DATA is a folder of good images, or of good and bad ones side by side (ok and nok, say); a split
    of your own (train, val, test); a public data set such as MVTec AD's bottle; a CSV file of
    path,label; demo/brick, demo/grass, demo/gravel; or keras:mnist/3, which Keras downloads.
    `kerasad inspect-data DATA` shows what would be read.
    """
    from kerasad.runs.train import train_run

    resolved = resolve_config(data, config, options)
    run = train_run(resolved, output, overwrite=overwrite, echo=show, tensorboard=tensorboard)
    return run.summary() if asked_for("json") else None


@main.command()
@click.argument("run")
@click.option("--data", help="Test images. [default: the data of the run]")
@FOLDER_OPTIONS
@MASK_OPTION
def evaluate(run: str, data: str | None, mask_foreground: str | None, **folders: Any) -> Values:
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
    return {"run": opened.path, "metrics": metrics}


@main.command()
@click.argument("run")
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@click.option("--output", required=True, type=FOLDER, help="Folder for the results.")
@ROI_OPTION
@click.option("--frames", is_flag=True, help="Each folder holds the frames of one video.")
@click.option(
    "--smooth",
    type=int,
    default=1,
    show_default=True,
    help="The median score of the last N frames decides.",
    metavar="N",
)
@click.option(
    "--overlays",
    type=click.Choice(("all", "defective", "none")),
    help="Images that get an overlay. [default: all; of frames, those called defective]",
)
def predict(
    run: str,
    paths: tuple[str, ...],
    output: str,
    roi: str | None,
    frames: bool,
    smooth: int,
    overlays: str | None,
) -> Values:
    """Score images and frames of videos; write predictions.jsonl, predictions.csv and overlays.

    PATH is an image, a folder that is searched for images, or a video (mp4, mov, avi, mkv and
    others; needs the extra "video"), which gets a row for each frame. Boxes and areas are in
    pixels of the image as the model sees it, and of the file. Overlays of earlier predictions and
    masks of a data set are not read.
    Earlier results in the folder --output are replaced as a whole, and no other file in it.
    """
    from kerasad.runs.predict import FrameOptions, describe_results, predict_files
    from kerasad.runs.run import open_run

    options = FrameOptions(folders=frames, smooth=smooth, overlays=overlays)
    count = predict_files(
        open_run(run), paths, output, in_words=name_options, roi=roi, options=options
    )
    click.echo(describe_results(count, output))
    if count.failed:
        click.echo(f"Files that could not be used: {count.failed} (both lists say why).", err=True)
    return {"output": output, **dataclasses.asdict(count)}


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
) -> Values:
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
    return {"run": opened.path, "calibration": summary}


@main.command()
@click.argument("run")
@click.option("--data", required=True, help="Good images; those that RUN knows are left out.")
@click.option("--output", required=True, type=FOLDER, help="Folder of the new run.")
@FOLDER_OPTIONS
@click.option("--group-by", help="As for `train`. [default: what the run says]")
def update(run: str, data: str, output: str, **folders: Any) -> Values:
    """Write a new run that adds new good images to what RUN has learnt.

    The new images alone set its thresholds. RUN stays as it is, and its images need not be there.
    For models that train no network.
    """
    from kerasad.runs.run import open_run
    from kerasad.runs.update import update_run

    updated = update_run(open_run(run), data, output, folders=given(folders), echo=show)
    click.echo(f"The run is in {updated.path}. RUN is as it was.")
    return updated.summary() if asked_for("json") else None


@main.command()
@click.argument("run")
@click.option("--data", required=True, help="Good images that the run has not seen.")
@FOLDER_OPTIONS
@click.option(
    "--level", type=float, default=0.05, show_default=True, help="Probability of a false alarm."
)
def check(run: str, data: str, level: float, **folders: Any) -> Outcome:
    """Tell whether new good images still look like those that calibrated RUN.

    Nothing is changed. Exit code 0: no drift found; 3: drift; 2: an error, as of too few images.
    """
    from kerasad.detector.drift import describe_drift
    from kerasad.runs.check import check_run
    from kerasad.runs.run import open_run

    found = check_run(open_run(run), data, level, folders=given(folders), echo=show)
    click.echo(describe_drift(found))
    return Outcome(found, code=DRIFT if found["drift"] else 0)


@main.command()
@click.argument("run", metavar="RUN|DETECTOR.keras|SAVED_MODEL")
@click.argument("paths", nargs=-1, metavar="[PATH...]")
@click.option(
    "--output", type=FOLDER, help="New run of good pictures. [default: RUN-2, or the next free]"
)
@click.option(
    "--port", type=click.IntRange(0, 65535), default=0, help="[default: 0, which takes a free one]"
)
@click.option("--open/--no-open", "opens_browser", default=True, help="Open the page in a browser.")
def inspect(run: str, paths: tuple[str, ...], **options: Any) -> Values:
    """Look at new pictures on a local page: drop them, move the threshold, see the heat map.

    PATH is a picture or a folder to begin with. Only this machine reaches the page, and nothing is
    sent anywhere. Pictures that you call good can make a new run; RUN stays as it is.
    """
    from kerasad.inspector.serving import inspect_pictures

    return inspect_pictures(run, paths, **options, echo=show, in_words=words_of_verb())


@main.command()
@click.argument("data")
@click.option("--output", default="contact_sheet.png", show_default=True, help="PNG file.")
@INSPECT_OPTIONS
def inspect_data(data: str, output: str, **options: Any) -> Values:
    """Show what would be read from DATA, as what; write a contact sheet of it."""
    from kerasad.runs import inspect_data as inspecting

    found = inspecting.inspect_data(DataConfig(data, **given(options)), output)
    show(found.text)
    click.echo(f"Written to {output}")
    return {"contact_sheet": output, **found.values}


@main.command()
@click.argument("run")
@click.argument("others", nargs=-1, metavar="[RUN...]")
def report(run: str, others: tuple[str, ...]) -> Values:
    """Write RUN/report.html, one page that needs no other file; more runs are side by side."""
    from kerasad.runs.report import report_run
    from kerasad.runs.run import open_run

    page = report_run(open_run(run), *map(open_run, others))
    click.echo(f"Written to {page}")
    return {"report": page}


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
) -> Values:
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
    return {"version": version, "note": note}
