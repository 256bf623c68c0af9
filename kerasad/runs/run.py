"""The RUN folder: created whole or not at all, opened with errors that name what is missing."""

import contextlib
import os
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import keras

from kerasad.detector import AnomalyDetector
from kerasad.errors import InputError
from kerasad.files import read_json, replace_file, write_json
from kerasad.models.base import AnomalyModel
from kerasad.training.config import RunConfig, load_config
from kerasad.training.recipes import import_models

CONFIG = "config.json"
SPLIT = "split.json"
HISTORY = "history.csv"
MODEL = "model.keras"
DETECTOR = "detector.keras"
CALIBRATION = "calibration.json"
METRICS = "metrics.json"
REPORT = "report.html"
EVALUATE_AGAIN = "write it again with `kerasad evaluate RUN`"
CALIBRATE_AGAIN = "write it again with `kerasad calibrate RUN --false-alarm-rate P`"
TRAIN_AGAIN = "restore it from a copy of the run, or train again"


@dataclass(frozen=True)
class Run:
    """A finished run.

    Args:
        path: Path. The folder that `kerasad train` wrote.
    """

    path: Path

    @property
    def config(self) -> RunConfig:
        """The configuration that the run was trained with."""
        return load_config(self.part(CONFIG))

    @property
    def metrics(self) -> dict[str, Any] | None:
        """The content of `metrics.json`, or None before the first `evaluate`.

        Raises:
            InputError: The file is damaged.
        """
        path = self.path / METRICS
        return read_json(path, (), EVALUATE_AGAIN) if path.is_file() else None

    @property
    def calibration(self) -> dict[str, Any]:
        """The content of `calibration.json`.

        Raises:
            InputError: The file is missing or damaged.
        """
        return read_json(self.part(CALIBRATION), ("threshold",), CALIBRATE_AGAIN)

    def part(self, name: str) -> Path:
        """Returns the path of a file of the run.

        Raises:
            InputError: The file is missing.
        """
        path = self.path / name
        if not path.is_file():
            raise InputError(f"{self.path} has no {name}: train again, or name another run.")
        return path

    def load_model(self) -> AnomalyModel:
        """Loads the trained model.

        Raises:
            InputError: The file is missing or damaged, or holds something else.
        """
        return load_keras(self.part(MODEL), AnomalyModel)

    def load_detector(self) -> AnomalyDetector:
        """Loads the detector: the trained model, its experts, their calibration, the decision.

        Raises:
            InputError: The file is missing or damaged, or holds something else.
        """
        return load_keras(self.part(DETECTOR), AnomalyDetector)


def open_run(path: str | Path) -> Run:
    """Opens the folder that `kerasad train` wrote.

    Raises:
        InputError: There is no such folder, or it is not a run.
    """
    path = Path(path)
    if not path.is_dir():
        raise InputError(f"{path} is not a folder: name the RUN that `kerasad train` wrote.")
    if not (path / CONFIG).is_file():
        raise InputError(f"{path} is not a run (it has no {CONFIG}): name what `train` wrote.")
    return Run(path)


@contextlib.contextmanager
def create_run(path: str | Path, *, overwrite: bool = False) -> Iterator[Path]:
    """Gives a new folder that becomes `path` if the block succeeds, and is deleted if it fails.

    The folder has a temporary name beside `path` until then. An existing run is replaced only
    when its successor is complete, so a failed training never destroys one.

    Args:
        path: str or Path. The run to create.
        overwrite: bool. Replace an existing run. Other folders are never replaced.

    Yields:
        The temporary folder.

    Raises:
        InputError: `path` exists (and `overwrite` is False, or it is not a run), or its parent
            cannot be written.
    """
    path = Path(path).absolute()
    _check_free(path, overwrite)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(prefix=f".{path.name}.partial-", dir=path.parent))
    except OSError as error:
        raise InputError(
            f"{path} cannot be created ({error.strerror or error}): choose another --output, in a "
            "folder that may be written."
        ) from error
    work.chmod(0o755)  # mkdtemp makes folders private; a run is not
    try:
        yield work
        _check_free(path, overwrite)  # someone may have been quicker
        _put_in_place(work, path)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _check_free(path: Path, overwrite: bool) -> None:
    if not path.exists() or (path.is_dir() and not any(path.iterdir())):
        return
    if not path.is_dir() or not (path / CONFIG).is_file():
        raise InputError(f"{path} exists and is not a run: choose another --output.")
    if not overwrite:
        raise InputError(f"{path} exists: choose another --output or pass --overwrite.")


def _put_in_place(work: Path, path: Path) -> None:
    if not path.exists():
        os.rename(work, path)
        return
    aside = Path(tempfile.mkdtemp(prefix=f".{path.name}.old-", dir=path.parent))
    os.rename(path, aside / path.name)
    try:
        os.rename(work, path)
    except OSError:
        os.rename(aside / path.name, path)
        raise
    finally:
        if path.exists():  # else `aside` holds the only copy of the old run
            shutil.rmtree(aside, ignore_errors=True)


def save_detector(
    detector: AnomalyDetector, folder: Path, split: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Writes `detector.keras` and its summary, `calibration.json`.

    Args:
        detector: AnomalyDetector.
        folder: Path. The run.
        split: dict or None. New content of `split.json`, if other images calibrate the run now.

    Returns:
        The content of `calibration.json`.
    """
    summary = detector.calibration_summary()
    with replace_file(folder / DETECTOR) as work:
        detector.save(work)
        if split is not None:
            # First, so that no calibration image can pass for a test image if this is stopped.
            write_json(folder / SPLIT, split)
    write_json(folder / CALIBRATION, summary)
    return summary


def read_thresholds(values: Mapping[str, Any]) -> tuple[float | None, float | None]:
    """Returns both thresholds of `metrics.json` or of a calibration; one twice without a band.

    Metrics with other thresholds than the calibration's are older than it.
    """
    threshold = values.get("threshold")
    return threshold, values.get("review_threshold", threshold)


Wanted = TypeVar("Wanted", bound=keras.Model)


def load_keras(path: str | Path, wanted: type[Wanted]) -> Wanted:
    """Loads a `.keras` file of this package, with `safe_mode` on.

    Args:
        path: str or Path.
        wanted: class. What the file must hold.

    Raises:
        InputError: The file is missing, cut off or damaged, or holds something else.
    """
    import_models()
    _refuse_damaged(Path(path))
    try:
        found = keras.saving.load_model(path, safe_mode=True)
    except MemoryError:
        raise
    except Exception as error:  # the content of a file can make Keras raise anything
        first = (str(error).splitlines() or [""])[0] or type(error).__name__
        raise InputError(
            f"{path} cannot be loaded as a Keras model: {first.rstrip('.')}; {TRAIN_AGAIN}."
        ) from error
    if not isinstance(found, wanted):
        raise InputError(
            f"{path} holds a {type(found).__name__}, not an {wanted.__name__}: it is another file "
            f"under this name; {TRAIN_AGAIN}."
        )
    return found


def _refuse_damaged(path: Path) -> None:
    """Compares every part of an archive with its checksum: Keras ignores some kinds of damage."""
    try:
        with zipfile.ZipFile(path) as archive:
            broken = archive.testzip()
    except FileNotFoundError as error:
        raise InputError(f"There is no file {path}: name a Keras file.") from error
    except PermissionError as error:
        raise InputError(f"{path} may not be read: {error.strerror}.") from error
    except zipfile.BadZipFile as error:
        raise InputError(
            f"{path} is not a whole Keras file ({path.stat().st_size} bytes that are not a "
            f"complete zip archive: cut off, or something else): {TRAIN_AGAIN}."
        ) from error
    except (OSError, ValueError, RuntimeError, EOFError, zlib.error) as error:
        raise InputError(f"{path} is damaged ({error}): {TRAIN_AGAIN}.") from error
    if broken is not None:
        raise InputError(f"{path} is damaged (its part {broken} fails its check): {TRAIN_AGAIN}.")
