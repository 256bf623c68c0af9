import os
import zipfile

import keras
import pytest

from kerasad.errors import InputError
from kerasad.runs.folder import create_run
from kerasad.runs.keras_file import load_keras
from kerasad.runs.run import open_run


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


def test_a_parent_that_is_no_folder_is_told_with_what_to_do(tmp_path):
    (tmp_path / "file").write_text("in the way")
    path = tmp_path / "file" / "run"
    with pytest.raises(InputError, match=rf"^{path} cannot be created \(.*choose another --output"):
        make_run(path)


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


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    """A small `.keras` file of another type than a run's."""
    path = tmp_path_factory.mktemp("network") / "network.keras"
    keras.Sequential([keras.Input((4,)), keras.layers.Dense(16)]).save(path)
    return path


def test_a_file_that_is_no_archive_is_an_input_error(tmp_path):
    path = tmp_path / "model.keras"
    path.write_bytes(b"not a zip file")
    with pytest.raises(InputError, match=r"model\.keras is not a whole Keras file \(14 bytes"):
        load_keras(path, keras.Model)


def test_a_file_that_was_cut_off_is_not_said_to_be_missing(tmp_path, network):
    path = tmp_path / "model.keras"
    path.write_bytes(network.read_bytes()[:-200])
    with pytest.raises(InputError, match=r"is not a whole Keras file .* cut off.*train again"):
        load_keras(path, keras.Model)
    with pytest.raises(InputError, match=r"There is no file .*gone\.keras"):
        load_keras(tmp_path / "gone.keras", keras.Model)


@pytest.mark.parametrize("share", [0.05, 0.3, 0.6, 0.9])
def test_flipped_bytes_are_an_input_error_wherever_they_are(tmp_path, network, share):
    content = bytearray(network.read_bytes())
    start = int(share * len(content))
    content[start : start + 64] = bytes(byte ^ 0xFF for byte in content[start : start + 64])
    path = tmp_path / "model.keras"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"model\.keras (is damaged|is not a whole)"):
        load_keras(path, keras.Model)


def test_an_archive_without_a_model_is_an_input_error(tmp_path):
    path = tmp_path / "model.keras"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", "[]")
    with pytest.raises(InputError, match=r"model\.keras cannot be loaded as a Keras model: "):
        load_keras(path, keras.Model)


def test_a_file_of_another_type_is_named_with_its_type(tmp_path, network):
    run = open_run(make_run(tmp_path / "run"))
    for name in ("detector.keras", "model.keras"):
        (run.path / name).write_bytes(network.read_bytes())
    with pytest.raises(InputError, match=r"detector\.keras holds a Sequential, not an Anomaly"):
        run.load_detector()
    with pytest.raises(InputError, match=r"model\.keras holds a Sequential, not an AnomalyModel"):
        run.load_model()


@pytest.mark.parametrize("text", ["", "[]"])
def test_damaged_metrics_say_how_to_get_them_anew(tmp_path, text):
    run = open_run(make_run(tmp_path / "run"))
    (run.path / "metrics.json").write_text(text)
    with pytest.raises(InputError, match=r"metrics\.json .*kerasad evaluate RUN"):
        _ = run.metrics


def test_files_that_are_read_together_belong_to_one_run(tmp_path):
    path = make_run(tmp_path / "run", "old")

    def read():
        config = (path / "config.json").read_text()
        if config == "old":
            with create_run(path, overwrite=True) as work:
                (work / "config.json").write_text("new")
                (work / "detector.keras").write_text("new")
        return config, (path / "detector.keras").read_text()

    assert open_run(path).read_together(read) == ("new", "new")


def test_a_run_that_is_replaced_again_and_again_is_told(tmp_path):
    path = make_run(tmp_path / "run")

    def replace():
        with create_run(path, overwrite=True) as work:
            (work / "config.json").write_text("{}")

    with pytest.raises(InputError, match="is being replaced by another command"):
        open_run(path).read_together(replace)


def test_an_error_in_a_run_that_stays_is_told_at_once(tmp_path):
    run = open_run(make_run(tmp_path / "run"))
    calls = []

    def read():
        calls.append(1)
        return run.part("detector.keras")

    with pytest.raises(InputError, match=r"run has no detector\.keras"):
        run.read_together(read)
    assert len(calls) == 1
