import os
import sys
import threading

import pytest

from kerasad.errors import InputError
from kerasad.export import publishing
from kerasad.export.publishing import draft_version, list_versions


def publish(base, text="content"):
    with draft_version(base) as draft:
        (draft.folder / "saved_model.pb").write_text(text)
        return draft.publish()


def test_the_next_number_is_one_above_the_highest(tmp_path):
    base = tmp_path / "bottle"
    assert publish(base) == base / "1"
    assert publish(base) == base / "2"
    (base / "7").mkdir()
    (base / "models.config").write_text("")
    assert publish(base) == base / "8"
    assert list_versions(base) == [1, 2, 7, 8]


def test_a_draft_is_no_version_and_its_rest_vanishes(tmp_path):
    base = tmp_path / "bottle"
    with draft_version(base) as draft:
        (draft.folder / "saved_model.pb").write_text("x")
        (draft.scratch / "inputs.npz").write_text("x")
        assert list_versions(base) == []
        # What the server polls: names that are numbers.
        assert not any(name.isdigit() for name in os.listdir(base))
        draft.publish()
    assert os.listdir(base) == ["1"]
    assert os.listdir(base / "1") == ["saved_model.pb"]
    assert (base / "1").stat().st_mode & 0o055 == 0o055


def test_a_failure_publishes_nothing_and_leaves_nothing(tmp_path):
    base = tmp_path / "models" / "bottle"

    def fail():
        with draft_version(base) as draft:
            (draft.folder / "saved_model.pb").write_text("x")
            raise RuntimeError("the gate")

    with pytest.raises(RuntimeError, match="the gate"):
        fail()
    assert not base.exists()


def test_a_number_that_another_exporter_took_meanwhile_is_left_alone(tmp_path, monkeypatch):
    base = tmp_path / "bottle"
    publish(base, "first")
    answers = iter([[], [1]])  # the first look was too early
    monkeypatch.setattr(publishing, "list_versions", lambda base: next(answers))
    assert publish(base, "second") == base / "2"
    assert (base / "1" / "saved_model.pb").read_text() == "first"


def test_exporters_at_the_same_time_get_numbers_of_their_own(tmp_path):
    base = tmp_path / "bottle"
    start = threading.Barrier(8)
    found = []

    def work(number):
        start.wait()
        found.append((publish(base, str(number)), str(number)))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert list_versions(base) == list(range(1, 9))
    assert all((path / "saved_model.pb").read_text() == text for path, text in found)
    assert sorted(os.listdir(base)) == sorted(map(str, range(1, 9)))


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such locks")
def test_what_a_killed_export_left_is_removed_but_no_draft_in_the_making(tmp_path):
    base = tmp_path / "bottle"
    left = base / ".partial-left" / "version"  # its lock went with its process
    left.mkdir(parents=True)
    (left / "saved_model.pb").write_text("half")
    with draft_version(base) as draft:
        assert not left.parent.exists()
        assert publish(base) == base / "1"  # locks go by opened file, not by process
        assert draft.folder.is_dir()
        assert draft.publish() == base / "2"
    assert sorted(os.listdir(base)) == ["1", "2"]


def test_a_folder_that_is_a_version_is_refused(tmp_path):
    publish(tmp_path / "bottle")
    for path in (tmp_path / "bottle" / "1", tmp_path / "bottle" / "9"):
        with pytest.raises(InputError, match="one version"), draft_version(path):
            pass
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="is a file"), draft_version(tmp_path / "file"):
        pass


def test_a_folder_that_is_no_models_is_refused_and_stays_as_it_is(tmp_path):
    publish(tmp_path / "models" / "bottle")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "detector.keras").write_text("")
    for path, named in (("models", "bottle is one"), ("run", "is a run"), ("a[1]", "pattern")):
        with pytest.raises(InputError, match=named), draft_version(tmp_path / path):
            pass
    assert os.listdir(tmp_path / "models") == ["bottle"]
    assert os.listdir(tmp_path / "run") == ["detector.keras"]
    assert not (tmp_path / "a[1]").exists()


def test_a_models_name_never_is_that_of_the_folder_above(tmp_path):
    with draft_version(tmp_path / "bottle" / ".." / "cup") as draft:
        assert draft.base == tmp_path / "cup"
