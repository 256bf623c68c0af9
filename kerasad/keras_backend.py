"""The backend that Keras will have, told without importing Keras: another one may not even load."""

import json
import os
import sys
from pathlib import Path

WANTED = "tensorflow"


def describe_wrong_backend() -> str | None:
    """Returns a sentence if Keras has or will have another backend than TensorFlow, else None."""
    name, source = _find_backend()
    if name == WANTED:
        return None
    return (
        f"TensorFlow must be the backend of Keras, but {source} says {name!r}: set the environment "
        f"variable KERAS_BACKEND={WANTED} before Keras is imported."
    )


def _find_backend() -> tuple[str, str]:
    """Returns the name of the backend and where it is set, in the order that Keras looks."""
    keras = sys.modules.get("keras")
    if keras is not None:
        return keras.config.backend(), "Keras, which is imported already,"
    if name := os.environ.get("KERAS_BACKEND"):
        return name, "the environment variable KERAS_BACKEND"
    folder = os.environ.get("KERAS_HOME", "~/.keras")
    path = Path(os.path.expanduser(folder)) / "keras.json"
    try:
        settings = json.loads(path.read_text(encoding="utf-8"))
        return str(settings.get("backend", WANTED)), str(path)
    except (OSError, ValueError, AttributeError, RecursionError):
        return WANTED, ""  # Keras goes on with its default too
