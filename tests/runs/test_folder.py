"""What killed and concurrent commands leave of a RUN folder."""

import os

import pytest

from kerasad.errors import InputError
from kerasad.locks import lock_folder, make_locked_folder, unlock
from kerasad.runs.folder import create_run, lock_run
from kerasad.runs.run import open_run

WAIT = 0.2  # less than else, for commands that never end while they are waited for


def make_run(path, text, overwrite=False):
    with create_run(path, overwrite=overwrite, wait=WAIT) as work:
        (work / "config.json").write_text(text)
        (work / "detector.keras").write_text(text)
    return path


def read_run(path):
    return {entry.name: entry.read_text() for entry in path.iterdir()}


OLD, NEW = ({name: text for name in ("config.json", "detector.keras")} for text in ("old", "new"))


def leave(tmp_path, **folders):
    """Makes what a killed `train --overwrite` leaves, by kind: `old="half"` and so on."""
    for kind, text in folders.items():
        path = tmp_path / ("run" if kind == "run" else f".run.{kind}-abcd1234")
        path.mkdir()
        (path / "config.json").write_text(text)
        if text != "half":
            (path / "detector.keras").write_text(text)


@pytest.mark.parametrize(
    ("left", "expected"),
    [
        ({"run": "old", "partial": "half"}, OLD),
        ({"run": "old", "partial": "new"}, OLD),
        ({"old": "old", "partial": "new"}, NEW),
        ({"old": "old"}, OLD),
        ({"run": "new", "old": "old"}, NEW),
        ({"run": "new", "old": "half"}, NEW),
        ({"run": "new", "partial": "half"}, NEW),
    ],
)
@pytest.mark.parametrize("command", ["open", "create"])
def test_the_next_command_finds_the_former_run_or_the_new_one(tmp_path, left, expected, command):
    leave(tmp_path, **left)
    if command == "open":
        open_run(tmp_path / "run")
    else:
        with pytest.raises(InputError, match=r"run exists: .*--overwrite"):
            make_run(tmp_path / "run", "another")
    assert read_run(tmp_path / "run") == expected
    assert os.listdir(tmp_path) == ["run"]


def test_a_killed_first_training_leaves_nothing_to_the_next_one(tmp_path):
    leave(tmp_path, partial="half")
    with pytest.raises(InputError, match="is not a folder"):
        open_run(tmp_path / "run")
    assert os.listdir(tmp_path) == []


def test_folders_of_other_names_are_left_alone(tmp_path):
    make_run(tmp_path / "run", "old")
    others = [".run2.partial-abcd1234", ".run.partial-a.old-abcd1234", ".run.partial", "run.old-ab"]
    for name in others:
        (tmp_path / name).mkdir()
    open_run(tmp_path / "run")
    assert sorted(os.listdir(tmp_path)) == sorted([*others, "run"])


def test_a_living_training_keeps_its_folder_and_a_second_one_is_refused(tmp_path):
    with create_run(tmp_path / "run") as work:
        (work / "config.json").write_text("new")
        with pytest.raises(InputError, match="run is being created by another command: wait"):
            make_run(tmp_path / "run", "second")
        with pytest.raises(InputError, match="is not a folder"):
            open_run(tmp_path / "run")
        assert work.is_dir()
    assert read_run(tmp_path / "run") == {"config.json": "new"}


def test_a_run_that_is_being_replaced_can_be_read_but_not_changed(tmp_path):
    path = make_run(tmp_path / "run", "old")
    with create_run(path, overwrite=True) as work:
        (work / "config.json").write_text("new")
        assert open_run(path).path == path
        refused = pytest.raises(InputError, match="is being changed by another command")
        with refused, lock_run(path, WAIT):
            pytest.fail("the block ran")
    assert read_run(path) == {"config.json": "new"}
    with lock_run(path):
        pass


def test_a_run_that_is_being_changed_is_not_replaced(tmp_path):
    path = make_run(tmp_path / "run", "old")
    with lock_run(path), pytest.raises(InputError, match="is being changed"):
        make_run(path, "new", overwrite=True)
    assert read_run(path) == OLD


def test_between_two_renames_of_a_living_process_nothing_is_touched(tmp_path):
    """Until they are done, or the process ends."""
    leave(tmp_path, old="old", partial="new")
    handle = lock_folder(tmp_path / ".run.old-abcd1234")
    with pytest.raises(InputError, match="is not a folder"):
        open_run(tmp_path / "run", wait=WAIT)
    assert (tmp_path / ".run.old-abcd1234").is_dir()
    unlock(handle)


def test_temporary_files_in_a_run_go_unless_another_command_is_writing_them(tmp_path):
    path = make_run(tmp_path / "run", "old")
    (path / ".detector.partial-12").mkdir()
    (path / ".detector.partial-12/detector.keras").write_text("half")
    (path / ".metrics.partial-12.json").write_text("half")
    (path / ".notes.partial-12.txt").write_text("the user's own")
    handle = lock_folder(path)
    open_run(path)
    assert len(os.listdir(path)) == 5
    unlock(handle)
    open_run(path)
    assert sorted(os.listdir(path)) == [".notes.partial-12.txt", *sorted(OLD)]


def test_a_link_to_a_run_stays_a_link(tmp_path):
    make_run(tmp_path / "disk/run", "old")
    (tmp_path / "run").symlink_to(tmp_path / "disk/run")
    make_run(tmp_path / "run", "new", overwrite=True)
    assert (tmp_path / "run").is_symlink()
    assert read_run(tmp_path / "disk/run") == NEW
    assert os.listdir(tmp_path / "disk") == ["run"]


def test_a_folder_of_a_training_without_a_living_process_is_removed_by_the_next(tmp_path):
    _, handle = make_locked_folder(tmp_path, ".run.partial-")
    unlock(handle)
    make_run(tmp_path / "run", "new")
    assert os.listdir(tmp_path) == ["run"]
