"""Loads the `.keras` files of a run, with errors that say what is wrong with the file."""

import zipfile
import zlib
from pathlib import Path
from typing import Any

import keras

from kerasad.errors import InputError
from kerasad.training.recipes import import_models

TRAIN_AGAIN = "restore it from a copy of the run, or train again"


def load_keras(path: str | Path) -> keras.Model:
    """Loads a `.keras` file of this package, with `safe_mode` on.

    Raises:
        InputError: The file is cut off or damaged, or not a Keras file.
    """
    import_models()
    _refuse_damaged(Path(path))
    try:
        return keras.saving.load_model(path, safe_mode=True)
    except MemoryError:
        raise
    except Exception as error:  # the content of a file can make Keras raise anything
        first = (str(error).splitlines() or [""])[0] or type(error).__name__
        raise InputError(
            f"{path} cannot be loaded as a Keras model: {first.rstrip('.')}; {TRAIN_AGAIN}."
        ) from error


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


def refuse_type(path: Path, found: Any, wanted: str) -> None:
    """Raises an `InputError`: a Keras file of the run holds another kind of model."""
    raise InputError(
        f"{path} holds a {type(found).__name__}, not {wanted}: it is another file under this "
        f"name; {TRAIN_AGAIN}."
    )
