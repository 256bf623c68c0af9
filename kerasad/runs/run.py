"""The RUN folder: created whole or not at all, opened with errors that name what is missing."""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kerasad.detector import AnomalyDetector
from kerasad.errors import InputError
from kerasad.files import read_json, replace_file, write_json
from kerasad.models.base import AnomalyModel
from kerasad.runs.keras_file import load_keras
from kerasad.training.config import RunConfig, load_config

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
