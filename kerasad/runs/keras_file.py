"""Reads `.keras` files with errors that say what is wrong with them."""

import zipfile
import zlib
from pathlib import Path
from typing import TypeVar

import keras

from kerasad.errors import InputError, MissingPackageError
from kerasad.training.recipes import import_models

TRAIN_AGAIN = "restore it from a copy of the run, or train again"

Wanted = TypeVar("Wanted", bound=keras.Model)


def load_keras(path: str | Path, wanted: type[Wanted]) -> Wanted:
    """Loads a `.keras` file of this package, with `safe_mode` on.

    Args:
        path: str or Path.
        wanted: class. What the file must hold.

    Raises:
        InputError: The file is missing, cut off or damaged, or holds something else.
        MissingPackageError: Its backbone needs a package that is not installed.
    """
    import_models()
    _refuse_damaged(Path(path))
    try:
        found = keras.saving.load_model(path, safe_mode=True)
    except (MemoryError, MissingPackageError):
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
