"""A finished run: its parts, opened with errors that name what is missing."""

import contextlib
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from kerasad.data.provenance import ALL_PARTS, Provenance, read_provenance
from kerasad.detector import AnomalyDetector
from kerasad.errors import InputError
from kerasad.files import read_json, replace_file, write_json
from kerasad.locks import locked
from kerasad.models.base import AnomalyModel
from kerasad.runs.folder import CALIBRATION, CONFIG, DETECTOR, METRICS, MODEL, SPLIT, WAIT, recover
from kerasad.runs.keras_file import TRAIN_AGAIN, load_keras
from kerasad.training.config import RunConfig, load_config

Found = TypeVar("Found")
EVALUATE_AGAIN = "write it again with `kerasad evaluate RUN`"

_ATTEMPTS = 3


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
    def provenance(self) -> Provenance:
        """Which images made the detector, read without loading it.

        Raises:
            InputError: The detector is missing or damaged, or does not say it.
        """
        return check_provenance(self, read_provenance(self.part(DETECTOR)))

    def summary(self) -> dict[str, Any]:
        """Returns the path of the run, how many images did what, and its calibration."""
        known = self.provenance
        return {
            "run": self.path,
            "images": {part: len(known.hashes(part)) for part in ALL_PARTS},
            "calibration": read_json(self.part(CALIBRATION)),
        }

    def part(self, name: str) -> Path:
        """Returns the path of a file of the run.

        Raises:
            InputError: The file is missing.
        """
        path = self.path / name
        if not path.is_file():
            raise InputError(f"{self.path} has no {name}: train again, or name another run.")
        return path

    def read_together(self, read: Callable[[], Found]) -> Found:
        """Reads several files of the run that belong to one training.

        `train --overwrite` replaces the whole folder, so what was read is good if the folder is
        the same one as before; else it is read again.

        Args:
            read: function that reads the files, and changes nothing.

        Raises:
            InputError: `read` raised one, or the run is replaced again and again.
        """
        for _ in range(_ATTEMPTS):
            folder = _identify(self.path)
            try:
                found, error = read(), None
            except InputError as problem:  # a file may be missing between two renames
                found, error = None, problem
            if folder is None or _identify(self.path) == folder:
                if error is not None:
                    raise error
                return found
            recover(self.path)
        raise InputError(f"{self.path} is being replaced by another command: wait until it ends.")

    def load_model(self) -> AnomalyModel:
        """Loads the trained model.

        Raises:
            InputError: The file is missing or damaged, or holds something else.
        """
        return load_keras(self.part(MODEL), AnomalyModel)

    def load_detector(self) -> AnomalyDetector:
        """Loads the detector: the trained model, its experts, their calibration, the decision.

        What a killed command has left out of date in `split.json` and `calibration.json` is
        written again, unless another command is changing the run.

        Raises:
            InputError: The file is missing or damaged, or holds something else.
        """
        path = self.part(DETECTOR)
        read = path.stat()
        detector = load_keras(path, AnomalyDetector)
        if not all(_says(self.path / name, said) for name, said in _summaries(detector).items()):
            with contextlib.suppress(OSError), locked(self.path) as is_ours:
                if is_ours and os.path.samestat(read, path.stat()):
                    write_summaries(detector, self.path)
        return detector


def open_run(path: str | Path, *, wait: float = WAIT) -> Run:
    """Opens the folder that `kerasad train` wrote.

    Args:
        path: str or Path.
        wait: float. Seconds to wait for a command that is replacing it.

    Raises:
        InputError: There is no such folder, or it is not a run.
    """
    path = Path(path)
    recover(path, wait)
    if not path.is_dir():
        raise InputError(f"{path} is not a folder: name the RUN that `kerasad train` wrote.")
    if not (path / CONFIG).is_file():
        raise InputError(f"{path} is not a run (it has no {CONFIG}): name what `train` wrote.")
    return Run(path)


def check_provenance(run: Run, provenance: Provenance) -> Provenance:
    """Returns the record of a run's images.

    Raises:
        InputError: It is empty, so that nobody knows which images are new to the run.
    """
    if not provenance.images("train"):
        raise InputError(
            f"{run.path / DETECTOR} does not say which images trained it: {TRAIN_AGAIN}."
        )
    return provenance


def save_detector(detector: AnomalyDetector, folder: Path) -> dict[str, Any]:
    """Writes `detector.keras`, in one step, and then what people read of it.

    Args:
        detector: AnomalyDetector.
        folder: Path. The run, locked, see `lock_run`.

    Returns:
        The content of `calibration.json`.
    """
    with replace_file(folder / DETECTOR, alone=True) as work:
        detector.save(work)
    return write_summaries(detector, folder)


def write_summaries(detector: AnomalyDetector, folder: Path) -> dict[str, Any]:
    """Writes `split.json` and `calibration.json` where they do not say what the detector says.

    They are for people; no command reads them. A command that was killed after it had written the
    detector leaves older ones.

    Args:
        detector: AnomalyDetector.
        folder: Path. The run, locked, see `lock_run`.

    Returns:
        The content of `calibration.json`.
    """
    summaries = _summaries(detector)
    for name, values in summaries.items():
        if not _says(folder / name, values):
            write_json(folder / name, values)
    return summaries[CALIBRATION]


def _identify(path):
    """Returns what tells a folder from one that takes its name; None if there is none."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _summaries(detector):
    return {SPLIT: detector.provenance.to_dict(), CALIBRATION: detector.calibration_summary()}


def _says(path, values):
    try:
        return json.loads(path.read_text(encoding="utf-8")) == values
    except (OSError, ValueError, RecursionError):
        return False
