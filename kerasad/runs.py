"""The RUN folder: created whole or not at all, and opened with errors that say what is missing."""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kerasad.config import RunConfig, load_config
from kerasad.errors import InputError
from kerasad.files import read_json

CONFIG = "config.json"
SPLIT = "split.json"
HISTORY = "history.csv"
MODEL = "model.keras"
DETECTOR = "detector.keras"
CALIBRATION = "calibration.json"
METRICS = "metrics.json"
REPORT = "report.html"


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
        """The content of `metrics.json`, or None before the first `evaluate`."""
        path = self.path / METRICS
        return read_json(path) if path.is_file() else None

    @property
    def calibration(self) -> dict[str, Any]:
        """The content of `calibration.json`."""
        return read_json(self.part(CALIBRATION))

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
        """The trained network."""
        return load_keras(self.part(MODEL))

    def load_detector(self):
        """The trained network with its experts, their calibration and the decision."""
        return load_keras(self.part(DETECTOR))


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
        raise InputError(f"{path} cannot be created: {error}.") from error
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


def load_keras(path: str | Path):
    """Loads a `.keras` file of this package, with `safe_mode` on.

    Raises:
        InputError: The file is truncated, or not a Keras file.
    """
    import keras

    try:
        return keras.saving.load_model(path, safe_mode=True)
    except (OSError, ValueError, KeyError, TypeError) as error:
        first = (str(error).splitlines() or [type(error).__name__])[0]
        raise InputError(f"{path} cannot be loaded as a Keras model: {first}") from error
