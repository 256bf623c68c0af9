"""Kills a process at one of its changes of files: before it, or in the middle of a write.

Python reports each change to an audit hook before it happens, whoever asks for it. TensorFlow's own
writes are not reported; a limit on the size of files ends the process in the middle of them.
"""

import contextlib
import gc
import os
import resource
import signal
import sys
from pathlib import Path

KILLED = 137
CHANGES = ("open", "os.rename", "os.remove", "os.mkdir", "os.rmdir")
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT


def call(function, folder, number=None, limit=None):
    """Calls a function in a fork of this process, which must not have used TensorFlow yet.

    Args:
        function: function without arguments.
        folder: Path. Changes in it are counted.
        number: int or None. The change (from 0) before which the process is killed; None: never.
        limit: int or None. Instead of that, it is killed when it next writes further into a file
            than this number of bytes.

    Returns:
        The exit code, the negative number of the signal that ended it, and the changes, each a
        pair of its name and the path relative to `folder`.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        # Objects that are no longer needed may own threads of TensorFlow, which a fork does not
        # have: freeing such an object may never return.
        gc.disable()
        os.close(reading)
        os.setsid()
        code = 1
        try:
            watch(Path(folder).resolve(), writing, number, limit)
            code = function() or 0
        except SystemExit as end:
            code = end.code or 0
        except BaseException as error:
            print(repr(error), file=sys.stderr)
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code if isinstance(code, int) else 1)
    os.close(writing)
    with os.fdopen(reading, encoding="utf-8") as pipe:
        changes = [tuple(line.rstrip("\n").split("\t")) for line in pipe]
    _, status = os.waitpid(child, 0)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)  # what it has started ends with it
    return os.waitstatus_to_exitcode(status), changes


def watch(folder, pipe, number=None, limit=None):
    """Writes each change in a folder to a pipe, and ends this process at one of them."""
    count = 0

    def hook(event, arguments):
        nonlocal count
        if event not in CHANGES:
            return
        if event == "open" and not (isinstance(arguments[2], int) and arguments[2] & _WRITING):
            return
        path = place(event, arguments)
        if path is None or not path.is_relative_to(folder):
            return
        os.write(pipe, f"{event}\t{path.relative_to(folder)}\n".encode())
        if count == number:
            if limit is None:
                os._exit(KILLED)
            signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
        count += 1

    sys.addaudithook(hook)


def place(event, arguments):
    """The path that a change is about, a new name in place of the former one; None without one."""
    path = arguments[1] if event == "os.rename" else arguments[0]
    if isinstance(path, int) or path is None:
        return None
    path = Path(os.fsdecode(path))
    folder = arguments[-1] if event in ("os.remove", "os.mkdir", "os.rmdir") else -1
    if not path.is_absolute() and folder >= 0:  # as `shutil.rmtree` removes
        path = Path(os.readlink(f"/proc/self/fd/{folder}")) / path
    return Path(os.path.abspath(path))
