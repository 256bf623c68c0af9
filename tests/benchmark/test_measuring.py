import json
import subprocess
import sys
import textwrap
import time

import pytest

from kerasad.benchmark import measuring
from kerasad.files import lock_folder, locked


@pytest.fixture
def start(monkeypatch):
    """Function of what the process of a row does instead."""
    return lambda code: monkeypatch.setattr(measuring, "_START", textwrap.dedent(code))


def run(tmp_path, *words):
    return measuring.run_step([*words, tmp_path / "result"], tmp_path / "result", tmp_path / "log")


def test_a_step_answers_with_its_result_and_what_it_prints_is_kept(start, tmp_path):
    start("import sys; print(sys.argv[2]); open(sys.argv[3], 'w').write('{\"fit_seconds\": 2}')")
    assert run(tmp_path, "train") == {"fit_seconds": 2}
    assert run(tmp_path, "evaluate") == {"fit_seconds": 2}
    assert (tmp_path / "log").read_text() == "train\nevaluate\n"
    assert not (tmp_path / "result").exists()


@pytest.mark.parametrize(
    ("code", "part"),
    [
        ("raise SystemExit(3)", "The process ended with exit code 3; "),
        (
            "import os, signal; os.kill(os.getpid(), signal.SIGKILL)",
            "The process ended by signal SIGKILL, as when memory runs out; ",
        ),
    ],
)
def test_a_process_that_ends_without_a_result_is_a_reason(code, part, start, tmp_path):
    start(code)
    reason = run(tmp_path, "train")["reason"]
    assert reason.startswith(part)
    assert str(tmp_path / "log") in reason


def test_the_process_imports_what_this_one_imports(start, tmp_path, monkeypatch):
    (tmp_path / "only_here.py").write_text("VALUE = 5")
    monkeypatch.syspath_prepend(tmp_path)
    start(
        """
        import json, sys
        sys.path[:] = json.loads(sys.argv[1])
        import only_here
        json.dump(only_here.VALUE, open(sys.argv[2], "w"))
        """
    )
    assert run(tmp_path) == 5


def test_bad_input_of_a_row_is_its_sentence(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"data": {"path": str(tmp_path / "none")}}))
    values = run(tmp_path, "train", tmp_path / "config.json", tmp_path / "run")
    assert values == {
        "reason": f"{tmp_path / 'none'}: there is no such folder; give the folder of one category."
    }
    assert "Traceback" in (tmp_path / "log").read_text()
    assert not (tmp_path / "run").exists()


def test_a_training_ends_with_the_benchmark_that_is_killed(tmp_path):
    """The child holds the lock of a folder as long as it lives, and would for 10 minutes."""
    (tmp_path / "held").mkdir()
    child = """
        import json, sys, threading, time
        sys.path[:] = json.loads(sys.argv[1])
        from kerasad.benchmark.row_process import _end_with_the_driver
        from kerasad.files import lock_folder
        threading.Thread(target=_end_with_the_driver, daemon=True).start()
        handle = lock_folder(sys.argv[2])
        open(sys.argv[3], "w").close()
        time.sleep(600)
    """
    driver = """
        import sys
        from pathlib import Path
        from kerasad.benchmark import measuring
        measuring._START = sys.argv[1]
        held, ready, result, log = map(Path, sys.argv[2:])
        measuring.run_step([held, ready], result, log)
    """
    paths = [str(tmp_path / name) for name in ("held", "ready", "result", "log")]
    command = [sys.executable, "-c", textwrap.dedent(driver), textwrap.dedent(child), *paths]
    process = subprocess.Popen(command)
    try:
        wait_for((tmp_path / "ready").exists, process)
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
