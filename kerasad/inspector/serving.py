"""The verb `inspect`: opens what answers, and serves the page to this machine until it is ended."""

import contextlib
import importlib
import os
import socket
import sys
import threading
import webbrowser
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from kerasad.console import count_of
from kerasad.data import read_images
from kerasad.data.earlier_results import EarlierResults
from kerasad.data.photos import PhotoLister
from kerasad.errors import InputError, MissingPackageError
from kerasad.inspector.renewal import is_free, pictures_folder
from kerasad.inspector.sources import Source, open_source
from kerasad.training.locations import resolve_data

HOST = "127.0.0.1"


def check_inspector_possible() -> None:
    """Raises a `MissingPackageError` unless the packages of the extra `inspector` are there."""
    for name in ("starlette", "uvicorn"):
        try:
            importlib.import_module(name)
        except ImportError as error:
            package = error.name or name
            raise MissingPackageError.of_extra("The inspector", package, "inspector") from error


def inspect_pictures(
    path: str | Path,
    pictures: Sequence[str | Path] = (),
    *,
    output: str | Path | None = None,
    port: int = 0,
    opens_browser: bool = True,
    echo: Callable[[str], None] = print,
    in_words: Callable[[str], str] = str,
) -> dict[str, Any]:
    """Serves the page until the user ends it with Ctrl+C.

    Args:
        path: str or Path. A RUN, a detector's `.keras` file, or a SavedModel.
        pictures: files and folders to begin with.
        output: str or Path or None. The new run that "this is good" makes. Defaults to the next
            free name beside the run.
        port: int. 0 takes a free one.
        opens_browser: bool. Whether to open the page in the user's browser.
        echo: function of a line of text.
        in_words: function that turns an error into the words of the user.

    Returns:
        dict of `address` and `runs`, the new runs that were written.

    Raises:
        InputError: Something cannot be opened, `output` is taken, or the port is in use.
        MissingPackageError: The extra `inspector` is missing.
    """
    check_inspector_possible()
    from kerasad.inspector.app import make_app
    from kerasad.inspector.guard import new_secret
    from kerasad.inspector.session import Session

    output = None if output is None else Path(output).absolute()
    if output is not None and not is_free(output):
        raise InputError(
            f"{output} or {pictures_folder(output).name} exists: choose another --output."
        )
    with _listening(port) as listener:
        source = open_source(path)
        if output is not None and source.run is None:
            raise InputError(f"{path} cannot be calibrated again: leave --output out.")
        paths = _list_pictures(pictures, source, echo)
        session = Session(source, paths, output, in_words)
        session.warm_up()
        secret = new_secret()
        address = f"http://{HOST}:{listener.getsockname()[1]}/{secret}/"
        echo(f"The inspector is at {address}\nCtrl+C ends it.")
        if opens_browser and _has_screen():
            threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()
        serve(make_app(session, secret, in_words), listener)
        session.wait()
    return {"address": address, "runs": [str(each) for each in session.written]}


def serve(app: Any, listener: socket.socket) -> None:
    """Serves an application on a socket until Ctrl+C."""
    with contextlib.suppress(KeyboardInterrupt):  # raised again when all requests are answered
        make_server(app).run(sockets=[listener])


def make_server(app: Any):
    """Returns the server of an application; it says nothing but errors."""
    import uvicorn

    options = {"log_level": "warning", "access_log": False, "server_header": False}
    return uvicorn.Server(
        uvicorn.Config(app, lifespan="off", ws="none", timeout_graceful_shutdown=2, **options)
    )


@contextlib.contextmanager
def _listening(port: int) -> Iterator[socket.socket]:
    """Gives a socket that only this machine reaches."""
    with socket.socket() as listener:
        if os.name != "nt":  # there it would let two programs have one port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((HOST, port))
            listener.listen()
        except (OSError, OverflowError) as error:
            raise InputError(
                f"Port {port} cannot be used ({error}): choose another --port, or 0 for a free one."
            ) from error
        yield listener


def _has_screen() -> bool:
    """Returns whether a browser would open in a window, and not in this terminal."""
    if os.name == "nt" or sys.platform == "darwin":
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def _list_pictures(
    paths: Sequence[str | Path], source: Source, echo: Callable[[str], None]
) -> list[Path]:
    """Returns the photos at the paths, without masks and overlays, as `predict` does."""
    if not paths:
        return []
    lister = PhotoLister()
    records, problems = read_images(
        [resolve_data(path) for path in paths],
        verify=False,
        decoding=source.decoding,
        list_folder=lister.list,
    )
    earlier = EarlierResults()
    found = [Path(record.path) for record in records if record.path not in earlier]
    broken = [problem for problem in problems if problem.broken and problem.path not in earlier]
    for problem in broken:
        echo(problem.message)
    if not found:
        reason = f" {broken[0].message}" if broken else ""
        raise InputError(f"No picture was found at the given paths.{reason}")
    echo(f"{count_of(len(found), 'picture')} to begin with.")
    return found
