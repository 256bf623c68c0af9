import os

import pytest

from kerasad.errors import InputError
from kerasad.runs import create_run, load_keras, open_run


def make_run(path, text="{}"):
    with create_run(path) as work:
        (work / "config.json").write_text(text)
    return path


def test_a_finished_run_appears_under_its_name_and_nothing_else_stays(tmp_path):
    path = tmp_path / "deep" / "run"
    with create_run(path) as work:
        (work / "config.json").write_text("{}")
        assert not path.exists()

    assert (path / "config.json").read_text() == "{}"
    assert os.listdir(path.parent) == ["run"]


def test_a_failed_run_leaves_nothing(tmp_path):
    def interrupted():
        with create_run(tmp_path / "run") as work:
            (work / "config.json").write_text("{}")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()

    assert os.listdir(tmp_path) == []


def test_an_existing_run_is_refused_before_any_work(tmp_path):
    path = make_run(tmp_path / "run")
    with pytest.raises(InputError, match=r"run exists: .*--overwrite"), create_run(path):
        pytest.fail("the block ran")


def test_overwrite_replaces_the_whole_run(tmp_path):
    path = make_run(tmp_path / "run", "old")
    (path / "metrics.json").write_text("of the old model")
    with create_run(path, overwrite=True) as work:
        (work / "config.json").write_text("new")

    assert (path / "config.json").read_text() == "new"
    assert os.listdir(path) == ["config.json"]
    assert os.listdir(tmp_path) == ["run"]


def test_a_failed_overwrite_keeps_the_old_run(tmp_path):
    path = make_run(tmp_path / "run", "old")
    with pytest.raises(RuntimeError), create_run(path, overwrite=True):
        raise RuntimeError

    assert (path / "config.json").read_text() == "old"
    assert os.listdir(tmp_path) == ["run"]


def test_overwrite_never_replaces_a_folder_that_is_not_a_run(tmp_path):
    (tmp_path / "precious.txt").write_text("text")
    with pytest.raises(InputError, match="not a run"), create_run(tmp_path, overwrite=True):
        pytest.fail("the block ran")

    assert (tmp_path / "precious.txt").exists()


def test_an_empty_folder_may_become_a_run(tmp_path):
    (tmp_path / "run").mkdir()
    assert open_run(make_run(tmp_path / "run")).path.name == "run"


def test_what_is_missing_is_named(tmp_path):
    with pytest.raises(InputError, match="is not a folder"):
        open_run(tmp_path / "nowhere")
    with pytest.raises(InputError, match="is not a run"):
        open_run(tmp_path)
    run = open_run(make_run(tmp_path / "run"))
    with pytest.raises(InputError, match=r"has no detector\.keras"):
        run.load_detector()
    assert run.metrics is None


def test_a_damaged_model_is_an_input_error(tmp_path):
    path = tmp_path / "model.keras"
    path.write_bytes(b"not a zip file")
    with pytest.raises(InputError, match=r"model\.keras cannot be loaded"):
        load_keras(path)
