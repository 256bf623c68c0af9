"""What TensorFlow says as it starts (CPU features, oneDNN, CUDA) is nothing for users of a command.

Its level of messages is an environment variable, which its libraries read only after they have
written their first lines. These can be hidden in no other way than to close the door.
"""

import contextlib
import importlib.util
import logging
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from importlib.abc import Loader, MetaPathFinder

NOISY = "tensorflow"


def silence_frameworks() -> None:
    """Hides what TensorFlow says while it is imported, and its messages afterwards.

    Errors in Python are shown. A level of messages that the user has set stays.
    """
    if NOISY in sys.modules:
        return
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    logging.getLogger(NOISY).setLevel(logging.ERROR)
    sys.meta_path.insert(0, _Finder())


@contextlib.contextmanager
def muted_stderr() -> Iterator[None]:
    """Keeps what libraries write to stderr from the console, unless there is an error."""
    sys.stderr.flush()
    console = os.dup(2)
    with tempfile.TemporaryFile() as hidden:
        os.dup2(hidden.fileno(), 2)
        try:
            yield
        except BaseException:
            hidden.seek(0)
            with os.fdopen(os.dup(console), "wb") as shown:
                shutil.copyfileobj(hidden, shown)
            raise
        finally:
            os.dup2(console, 2)
            os.close(console)


class _Finder(MetaPathFinder):
    """Finds TensorFlow as Python does, once, with a loader that is muted."""

    def find_spec(self, name, path=None, target=None):
        if name != NOISY:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.loader is not None:
            spec.loader = _Muted(spec.loader)
        return spec


class _Muted(Loader):
    def __init__(self, loader):
        self.loader = loader

    def create_module(self, spec):
        return self.loader.create_module(spec)

    def exec_module(self, module):
        module.__spec__.loader = module.__loader__ = self.loader
        with muted_stderr():
            self.loader.exec_module(module)
