"""The memory that a process has held."""

import sys
from pathlib import Path


def peak_memory_mb() -> float | None:
    """The most memory that this process has held, in MB; None where the system does not say.

    On Linux it is read from `/proc`: what `getrusage` says there begins with the memory of the
    process that started this one.
    """
    try:
        lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
        return next(int(line.split()[1]) / 2**10 for line in lines if line.startswith("VmHWM:"))
    except (OSError, StopIteration):
        return _peak_of_rusage()


def _peak_of_rusage():
    try:
        import resource
    except ImportError:  # Windows
        return None
    # Kilobytes on Linux, bytes on macOS.
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
