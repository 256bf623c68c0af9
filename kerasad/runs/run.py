"""The RUN folder: created whole or not at all, and opened with errors that say what is missing."""

import contextlib
import os
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kerasad.detector import AnomalyDetector
from kerasad.errors import InputError
from kerasad.files import read_json, replace_file, write_json
from kerasad.training.config import RunConfig, load_config

CONFIG = "config.json"
SPLIT = "split.json"
HISTORY = "history.csv"
MODEL = "model.keras"
DETECTOR = "detector.keras"
CALIBRATION = "calibration.json"
METRICS = "metrics.json"
REPORT = "report.html"

EVALUATE_AGAIN = "write it anew with `kerasad evaluate RUN`"
CALIBRATE_AGAIN = "write it anew with `kerasad calibrate RUN --false-alarm-rate P`"
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
        return _read_object(path, (), EVALUATE_AGAIN) if path.is_file() else None

    @property
    def calibration(self) -> dict[str, Any]:
        """The content of `calibration.json`.

        Raises:
            InputError: The file is missing or damaged.
        """
        return _read_object(self.part(CALIBRATION), ("threshold",), CALIBRATE_AGAIN)

    def part(self, name: str) -> Path:
        """The path of a file of the run.

        Raises:
            InputError: The file is missing.
        """
        path = self.path / name
        if not path.is_file():
            raise InputError(f"{self.path} has no {name}: train again, or name another run.")
        return path

    def load_model(self):
        """The trained network.

        Raises:
            InputError: The file is missing, damaged or of something else.
        """
        path = self.part(MODEL)
        model = load_keras(path)
        if not hasattr(model, "tensors"):
            _refuse_type(path, model, "a trained network")
        return model

    def load_detector(self):
        """The trained network with its experts, their calibration and the decision.

        Raises:
            InputError: The file is missing, damaged or of something else.
        """
        from kerasad.detector import AnomalyDetector

        path = self.part(DETECTOR)
        detector = load_keras(path)
        if not isinstance(detector, AnomalyDetector):
            _refuse_type(path, detector, "an AnomalyDetector")
        return detector


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
    """A new folder that becomes `path` when the block ends well, and vanishes when it does not.

    The work is done under a temporary name beside `path`. An existing run is moved aside only
    when its successor is complete, so that a failed training never costs one.

    Args:
        path: str or Path. The run to create.
        overwrite: bool. Replace an existing run. Anything else is never replaced.

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
    work.chmod(0o755)  # mkdtemp hides the folder from everyone else; a run is not a secret
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
    """Writes `detector.keras` and what it says of itself, `calibration.json`.

    Args:
        detector: AnomalyDetector.
        folder: Path. The run.
        split: dict or None. New content of `split.json`, where other images calibrate it now.

    Returns:
        The content of `calibration.json`.
    """
    summary = detector.calibration_summary()
    with replace_file(folder / DETECTOR) as work:
        detector.save(work)
        if split is not None:
            # Before the detector: if stopped between both, no image that calibrated passes for a
            # test image.
            write_json(folder / SPLIT, split)
    write_json(folder / CALIBRATION, summary)
    return summary


def read_thresholds(values: Mapping[str, Any]) -> tuple[float | None, float | None]:
    """The two thresholds of `metrics.json`, or of a calibration; the same without a review band.

    What was measured at others than those of the calibration is from before it.
    """
    threshold = values.get("threshold")
    return threshold, values.get("review_threshold", threshold)


def load_keras(path: str | Path):
    """Loads a `.keras` file of this package, with `safe_mode` on.

    Raises:
        InputError: The file is cut off or damaged, or not a Keras file.
    """
    import keras

    _refuse_damaged(Path(path))
    try:
        return keras.saving.load_model(path, safe_mode=True)
    except MemoryError:
        raise
    except Exception as error:  # whatever a file's content can make Keras raise
        first = (str(error).splitlines() or [""])[0] or type(error).__name__
        raise InputError(
            f"{path} cannot be loaded as a Keras model: {first.rstrip('.')}; {TRAIN_AGAIN}."
        ) from error


def _refuse_damaged(path: Path) -> None:
    """Compares every part of an archive with its check sum: Keras reads on over some damage."""
    try:
        with zipfile.ZipFile(path) as archive:
            broken = archive.testzip()
    except FileNotFoundError as error:
        raise InputError(f"There is no file {path}: name a Keras file.") from error
    except PermissionError as error:
        raise InputError(f"{path} may not be read: {error.strerror}.") from error
    except zipfile.BadZipFile as error:
        raise InputError(
            f"{path} is not a whole Keras file ({path.stat().st_size} bytes that are no complete "
            f"zip archive: cut off, or something else): {TRAIN_AGAIN}."
        ) from error
    except (OSError, ValueError, RuntimeError, EOFError, zlib.error) as error:
        raise InputError(f"{path} is damaged ({error}): {TRAIN_AGAIN}.") from error
    if broken is not None:
        raise InputError(f"{path} is damaged (its part {broken} fails its check): {TRAIN_AGAIN}.")


def _refuse_type(path: Path, found: Any, wanted: str) -> None:
    raise InputError(
        f"{path} holds a {type(found).__name__}, not {wanted}: it is another file under this "
        f"name; {TRAIN_AGAIN}."
    )


def _read_object(path: Path, keys: tuple[str, ...], remedy: str) -> dict[str, Any]:
    """A JSON object with these keys, or an error that says how to get the file anew."""
    try:
        values = read_json(path)
    except InputError as error:
        raise InputError(f"{str(error).rstrip('.')}; {remedy}.") from error
    if not isinstance(values, dict):
        raise InputError(f"{path} holds no JSON object but {values!r:.40}; {remedy}.")
    missing = [key for key in keys if key not in values]
    if missing:
        raise InputError(f"{path} does not say `{missing[0]}`; {remedy}.")
    return values
