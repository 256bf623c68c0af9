import json
import os
import signal
import subprocess
import sys
import time

import pytest

from kerasad.locks import lock_folder, locked
from kerasad.runs.own_process import ProcessFailedError, _describe_end, call_in_process


def test_an_error_is_a_reason_in_one_line_and_the_traceback_is_in_the_log(tmp_path, monkeypatch):
    # As in the command: the process has the arguments of this one, and needs no TensorFlow then.
    monkeypatch.setattr(sys, "argv", ["/usr/bin/kerasad", "benchmark"])
    with pytest.raises(ProcessFailedError, match=r"^JSONDecodeError: Expecting value"):
        call_in_process(json.loads, "no JSON", log=tmp_path / "log")
    assert "Traceback" in (tmp_path / "log").read_text()


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="there is no SIGKILL")
def test_the_death_of_the_process_is_a_reason(tmp_path):
    code = "import os; print('here', flush=True); os.kill(os.getpid(), 9)"
    with pytest.raises(ProcessFailedError) as caught:
        call_in_process(exec, code, log=tmp_path / "log")
    assert str(caught.value) == _describe_end(-signal.SIGKILL, tmp_path / "log")
    assert "by signal SIGKILL, as when memory runs out; " in str(caught.value)
    assert (tmp_path / "log").read_text() == "here\n"


def test_an_exit_is_a_reason(tmp_path):
    assert _describe_end(3, tmp_path).startswith("The process ended with exit code 3; ")


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="there are no locks")
def test_the_process_ends_with_its_parent_that_is_killed(tmp_path):
    """The child holds the lock of a folder as long as it lives, and would for 10 minutes."""
    (tmp_path / "held").mkdir()
    log = tmp_path / "log"
    child = (
        "import time; from kerasad.locks import lock_folder; "
        f"handle = lock_folder({str(tmp_path / 'held')!r}); "
        "print('ready', flush=True); time.sleep(600)"
    )
    parent = (
        "from pathlib import Path; from kerasad.runs.own_process import call_in_process; "
        f"call_in_process(exec, {child!r}, log=Path({str(log)!r}))"
    )
    process = subprocess.Popen([sys.executable, "-c", parent])
    try:
        wait_for(lambda: log.exists() and log.read_text() == "ready\n", process)
        with locked(tmp_path / "held") as is_free:
            assert not is_free
    finally:
        process.kill()
        process.wait()
    wait_for(lambda: lock_folder(tmp_path / "held") is not None)


def wait_for(condition, process=None, seconds=300):
    end = time.monotonic() + seconds
    while not condition():
        assert process is None or process.poll() is None
        assert time.monotonic() < end
        time.sleep(0.1)
