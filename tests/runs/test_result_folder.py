import csv
import errno
import json
import os
from pathlib import Path, PurePosixPath

import pytest

from kerasad.data.earlier_results import WORK
from kerasad.errors import InputError, describe_machine_failure
from kerasad.locks import lock_folder
from kerasad.runs.result_files import safe_cell
from kerasad.runs.result_folder import refuse_blocked, replace_results


def row(name, decision="good"):
    return {
        "path": f"/in/{name}.png",
        "decision": decision,
        "anomaly_score": -1.5,
        "threshold": 2.0,
        "p_value": 0.5,
        "defect_area": 7,
        "boxes": [{}, {}],
        "overlay": f"{name}_overlay.png",
    }


def write(output, *names, picture=b"picture"):
    with replace_results(output) as files:
        for name in names:
            files.add_overlay(PurePosixPath(f"{name}_overlay.png"), picture)
            files.add(row(name))
        files.add({"path": "/in/broken.png", "error": "/in/broken.png: cut off, or empty"})


def tree(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_both_lists_say_the_same(tmp_path):
    write(tmp_path / "out", "a", "b/c")
    assert [
        json.loads(line) for line in (tmp_path / "out/predictions.jsonl").read_text().splitlines()
    ][:2] == [row("a"), row("b/c")]
    with (tmp_path / "out/predictions.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows[0] == {
        "path": "/in/a.png",
        "frame": "",
        "time": "",
        "decision": "good",
        "anomaly_score": "-1.5",
        "threshold": "2.0",
        "p_value": "0.5",
        "defect_area": "7",
        "num_boxes": "2",
        "error": "",
    }
    assert rows[2] == dict.fromkeys(rows[0], "") | {
        "path": "/in/broken.png",
        "error": "/in/broken.png: cut off, or empty",
    }
    assert sorted(tree(tmp_path / "out")) == [
        "a_overlay.png",
        "b/c_overlay.png",
        "predictions.csv",
        "predictions.jsonl",
    ]


@pytest.mark.parametrize("sign", ["=", "+", "-", "@", "\t", "\r"])
def test_no_text_is_a_formula_to_a_spreadsheet(sign):
    assert safe_cell(f"{sign}cmd|' /C calc'!A0") == f"'{sign}cmd|' /C calc'!A0"
    assert safe_cell("/photos/=a.png") == "/photos/=a.png"
    assert safe_cell(-1.5) == -1.5
    assert safe_cell(None) is None


def test_former_results_are_replaced_as_a_whole_and_nothing_else(tmp_path):
    write(tmp_path, "a", "b/c", "b/d/e", picture=b"old")
    (tmp_path / "my_overlay.png").write_text("a photo")
    (tmp_path / "b/photo.png").write_text("a photo")
    write(tmp_path, "a", "f", picture=b"new")
    found = tree(tmp_path)
    assert sorted(found) == [
        "a_overlay.png",
        "b/photo.png",
        "f_overlay.png",
        "my_overlay.png",
        "predictions.csv",
        "predictions.jsonl",
    ]
    assert found["a_overlay.png"] == found["f_overlay.png"] == b"new"
    assert not (tmp_path / "b/d").exists()
    assert not (tmp_path / WORK).exists()


def test_a_prediction_that_fails_leaves_the_former_results(tmp_path):
    def fail(output):
        with replace_results(output) as files:
            files.add_overlay(PurePosixPath("a_overlay.png"), b"new")
            raise InputError("nothing")

    write(tmp_path / "out", "a", picture=b"old")
    before = tree(tmp_path / "out")
    for output in (tmp_path / "out", tmp_path / "new"):
        with pytest.raises(InputError, match="nothing"):
            fail(output)
    assert tree(tmp_path / "out") == before
    assert not (tmp_path / "new").exists()


class KilledError(BaseException):
    """As if the process ended: nothing after it is done, not even what a `finally` does."""


def end_at(number, monkeypatch):
    """Ends the process at a change of the disk; returns a list that grows with each of them."""
    calls = []

    def hooked(function):
        def call(*arguments, **options):
            calls.append(function.__name__)
            if len(calls) > number:  # all later ones fail, too: the process is gone
                raise KilledError
            return function(*arguments, **options)

        return call

    for module, name in ((os, "replace"), (os, "unlink"), (os, "rmdir"), (os, "fsync")):
        monkeypatch.setattr(module, name, hooked(getattr(module, name)))
    monkeypatch.setattr(Path, "unlink", hooked(Path.unlink))
    monkeypatch.setattr(Path, "rmdir", hooked(Path.rmdir))
    monkeypatch.setattr("shutil.rmtree", hooked(__import__("shutil").rmtree))
    return calls


def test_a_kill_at_any_change_of_the_disk_leaves_the_former_results_or_the_new_ones(
    tmp_path, monkeypatch
):
    write(tmp_path / "expected/new", "a", "c", picture=b"new")
    write(tmp_path / "expected/next", "z", picture=b"next")
    write(tmp_path / "expected/old", "a", "b/x", picture=b"old")
    old, new, following = (tree(tmp_path / "expected" / name) for name in ("old", "new", "next"))
    ended, outcomes = True, []
    number = 0
    while ended:
        output = tmp_path / str(number)
        write(output, "a", "b/x", picture=b"old")
        with monkeypatch.context() as patch:
            end_at(number, patch)
            try:
                write(output, "a", "c", picture=b"new")
                ended = False
            except KilledError:
                pass
        # The next command, whatever becomes of it, first finishes or removes what it finds.
        with pytest.raises(InputError, match="stop"), replace_results(output):
            raise InputError("stop")
        outcomes.append(tree(output))
        assert outcomes[-1] in (old, new)
        write(output, "z", picture=b"next")
        assert tree(output) == following
        number += 1
    assert number > 10
    assert outcomes.index(new) > 3
    assert outcomes[0] == old
    assert outcomes[outcomes.index(new) :] == [new] * (len(outcomes) - outcomes.index(new))


def test_a_folder_that_another_prediction_writes_to_is_refused(tmp_path):
    used = pytest.raises(InputError, match="is used by another `kerasad predict`")
    with replace_results(tmp_path), used:
        write(tmp_path, "a")
    write(tmp_path, "a")
    handle = lock_folder(tmp_path)  # a lock on the folder itself is another matter
    write(tmp_path, "b")
    os.close(handle)


@pytest.mark.parametrize("name", ["predictions.jsonl", "predictions.csv", "x/a_overlay.png"])
def test_a_full_disk_is_one_sentence_that_names_the_file(tmp_path, monkeypatch, name):
    write(tmp_path, "a", picture=b"old")
    before = tree(tmp_path)
    sync, count = os.fsync, {"x/a_overlay.png": 0, "predictions.jsonl": 1, "predictions.csv": 2}
    calls = []

    def full(handle):
        calls.append(handle)
        if len(calls) > count[name]:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        sync(handle)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space") as caught:
        write(tmp_path, "x/a")
    sentence = describe_machine_failure(caught.value)
    assert sentence.startswith(f"{tmp_path / name} cannot be read or written (No space")
    assert tree(tmp_path) == before


def test_a_folder_that_may_not_be_written_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="Not a directory") as caught:
        write(tmp_path / "file" / "out", "a")
    assert str(tmp_path / "file") in describe_machine_failure(caught.value)


def test_a_name_that_the_file_system_refuses_costs_one_overlay(tmp_path):
    with replace_results(tmp_path) as files:
        with pytest.raises(InputError, match="cannot be called"):
            files.add_overlay(PurePosixPath("a" * 300 + "_overlay.png"), b"")
        files.add_overlay(PurePosixPath("b_overlay.png"), b"")
        files.add(row("b"))
    assert "b_overlay.png" in tree(tmp_path)


def test_a_file_where_a_folder_of_overlays_belongs_is_named(tmp_path):
    (tmp_path / "cam1").touch()
    with pytest.raises(InputError, match="cam1 is a file"):
        refuse_blocked(tmp_path, [PurePosixPath("cam1/a_overlay.png")])
    refuse_blocked(tmp_path, [PurePosixPath("cam2/a_overlay.png"), PurePosixPath("a_overlay.png")])
