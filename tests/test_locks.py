import os
import subprocess
import sys
from pathlib import Path

import pytest

from kerasad import locks
from kerasad.locks import lock_folder, locked, make_locked_folder, remove_abandoned, unlock


def test_a_folder_is_locked_once(tmp_path):
    with locked(tmp_path) as is_ours:
        assert is_ours
        with locked(tmp_path) as is_ours_too:
            assert not is_ours_too
    with locked(tmp_path) as is_ours:
        assert is_ours


def test_what_a_living_process_made_is_not_removed(tmp_path):
    folder, handle = make_locked_folder(tmp_path / "deep", "draft-")
    (folder / "file").write_text("text")
    assert not remove_abandoned(folder)
    assert (folder / "file").exists()
    unlock(handle)
    assert remove_abandoned(folder)
    assert not folder.exists()


def test_a_lock_ends_with_its_process_however_it_ends(tmp_path):
    # The file by itself: the whole package would take seconds to import.
    code = (
        "import os, sys; sys.path.append(sys.argv[2]); from locks import lock_folder; "
        "print(lock_folder(sys.argv[1]) is not None, flush=True); os._exit(137)"
    )
    process = subprocess.run(
        [sys.executable, "-c", code, tmp_path, Path(locks.__file__).parent],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (process.stdout, process.returncode) == ("True\n", 137)
    handle = lock_folder(tmp_path)
    assert handle is not None
    unlock(handle)


@pytest.fixture
def without_flock(monkeypatch):
    """As on Windows, where the system deletes the file when its process ends."""
    monkeypatch.setattr(locks, "fcntl", None)
    monkeypatch.setattr(os, "O_TEMPORARY", 0, raising=False)


def test_without_flock_a_file_beside_the_folder_is_the_lock(tmp_path, without_flock):
    folder = tmp_path / "run"
    folder.mkdir()
    handle = lock_folder(folder)
    assert handle is not None
    assert os.listdir(tmp_path / "run") == []
    assert lock_folder(folder) is None
    assert not remove_abandoned(folder)
    os.unlink(tmp_path / ".run.lock")  # what Windows does
    unlock(handle)
    assert remove_abandoned(folder)
