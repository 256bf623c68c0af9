"""A new run from the pictures that were called good; the old one stays as it is."""

import contextlib
import re
import shutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from kerasad.console import count_of
from kerasad.data.grouping import AUTO, NONE
from kerasad.detector.cross_fitting import MIN_GROUPS_OF_UPDATE
from kerasad.errors import InputError
from kerasad.runs.calibrate import recalibrate_run
from kerasad.runs.run import Run
from kerasad.runs.update import check_updatable, update_run

UPDATE, CALIBRATE = "update", "calibrate"
LEAST = MIN_GROUPS_OF_UPDATE
"""Pictures that a new run needs; `update` needs as many."""

_FOLDER = "-good"
_FORMATS = {"png": ".png", "jpeg": ".jpg", "bmp": ".bmp", "tiff": ".tif"}
_NAME_LENGTH = 60


@dataclass(frozen=True)
class GoodPicture:
    """A picture that was called good.

    Args:
        name: str. What the page calls it.
        data: bytes. The file.
        kind: str. Its format, as in `Header`.
    """

    name: str
    data: bytes
    kind: str


def usable_parts(how: str) -> tuple[str | None, ...]:
    """Returns which pictures a way of renewal takes, by what they were to the run.

    Thresholds may be set by those that set them before; what an update learns must be new.
    """
    return (None, "calibration", "test") if how == CALIBRATE else (None,)


def describe_problem(run: Run | None, kind: str, how: str, count: int) -> str | None:
    """Returns why no new run can be written, or None if one can be.

    Args:
        run: Run, or None where a detector or SavedModel was opened without its run.
        kind: str. See `Source`.
        how: str. `UPDATE` or `CALIBRATE`.
        count: int. Pictures that it could take.
    """
    if run is None:
        what = "A SavedModel" if kind == "saved_model" else "A detector without its RUN"
        return f"{what} cannot be calibrated again: inspect the RUN folder that it comes from."
    if how == UPDATE:
        try:
            check_updatable(run.config)
        except InputError as error:
            return str(error)
    if count < LEAST:
        return (
            f"It needs at least {LEAST} good pictures that the run does not know; {count} so far."
        )
    return None


def next_free(path: Path) -> Path:
    """Returns `NAME-2` for `NAME`, `NAME-3` for `NAME-2`, or the next of which nothing is there."""
    stem, number = path.name, 1
    if found := re.fullmatch(r"(.+)-(\d{1,6})", path.name):
        stem, number = found[1], int(found[2])
    while True:
        number += 1
        new = path.with_name(f"{stem}-{number}")
        if is_free(new):
            return new


def is_free(output: Path) -> bool:
    """Returns whether neither a run nor the folder of its pictures is there."""
    return not (output.exists() or pictures_folder(output).exists())


def pictures_folder(output: Path) -> Path:
    """Returns where the pictures of a new run are copied to: beside it."""
    return output.with_name(output.name + _FOLDER)


def renew_run(
    run: Run,
    pictures: Sequence[GoodPicture],
    how: str,
    output: Path,
    echo: Callable[[str], None],
) -> Run:
    """Copies the pictures beside a new run, and writes it.

    Args:
        run: Run. It stays as it is.
        pictures: sequence of `GoodPicture`.
        how: str. `UPDATE`: the statistics learn the pictures, which also set the thresholds.
            `CALIBRATE`: the pictures set the thresholds, and nothing else changes.
        output: Path. The folder of the new run.
        echo: function of a line of text.

    Raises:
        InputError: The run cannot be renewed in this way, or `output` exists. Nothing is left then.
    """
    write = update_run if how == UPDATE else recalibrate_run
    config = run.config.data
    # All lie in one folder under other names: a rule about folders or names says nothing of them.
    group_by = config.group_by if config.group_by in (AUTO, NONE) else AUTO
    folders = {"good": ["."], "group_by": group_by}
    with _copied(pictures, pictures_folder(output)) as folder:
        return write(run, str(folder), output, folders=folders, echo=echo)


@contextlib.contextmanager
def _copied(pictures: Iterable[GoodPicture], folder: Path):
    """Gives a new folder of the pictures, which is deleted if the block fails."""
    try:
        folder.mkdir()
    except OSError as error:
        raise InputError(
            f"{folder} cannot be created ({error.strerror or error}): choose another --output."
        ) from error
    try:
        for number, picture in enumerate(pictures, start=1):
            with (folder / _file_name(number, picture)).open("xb") as file:
                file.write(picture.data)
        yield folder
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _file_name(number: int, picture: GoodPicture) -> str:
    """Returns a name that no folder can be left by, in the order of the pictures."""
    stem = picture.name.replace("\\", "/").rpartition("/")[2].rpartition(".")[0]
    stem = re.sub(r"[^A-Za-z0-9._-]+", "_", stem).strip("._-")[:_NAME_LENGTH]
    return f"{number:04d}{'-' if stem else ''}{stem}{_FORMATS[picture.kind]}"


def describe_rate_of(count: int, requested: float) -> str:
    """Returns which false-alarm rate so many pictures allow, in a sentence."""
    least = 1 / (count + 1)
    if least <= requested * (1 + 1e-9):
        return f"{count_of(count, 'picture')} set the threshold, for a rate of {requested:.1%}."
    needed = round(1 / requested) - 1
    return (
        f"{count_of(count, 'picture')} allow a false-alarm rate of {least:.1%} at best; "
        f"{100 * requested:.3g}% needs {needed}."
    )
