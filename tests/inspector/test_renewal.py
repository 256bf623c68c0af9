from types import SimpleNamespace

import pytest
from command_line import write_image

from kerasad.errors import InputError
from kerasad.inspector.renewal import (
    CALIBRATE,
    UPDATE,
    GoodPicture,
    describe_problem,
    describe_rate_of,
    next_free,
    pictures_folder,
    renew_run,
)
from kerasad.runs.run import open_run

pytestmark = pytest.mark.usefixtures("detectors_opened_once")


def good_pictures(folder, count, start=300):
    for number in range(start, start + count):
        write_image(folder / f"{number}.png", number)
    paths = sorted(folder.iterdir())
    names = [f"../shift/part {number}_mask.png" for number in range(count)]
    return [
        GoodPicture(name, path.read_bytes(), "png") for name, path in zip(names, paths, strict=True)
    ]


def test_the_next_name_is_free_and_counts_on(tmp_path):
    assert next_free(tmp_path / "bottle").name == "bottle-2"
    (tmp_path / "bottle-2").mkdir()
    (tmp_path / "bottle-3-good").mkdir()
    assert next_free(tmp_path / "bottle").name == "bottle-4"
    assert next_free(tmp_path / "bottle-9").name == "bottle-10"
    assert next_free(tmp_path / "2026-12").name == "2026-13"


def test_a_new_run_has_new_thresholds_and_the_old_one_stays(run, tmp_path):
    before = {path.name: path.read_bytes() for path in run.iterdir() if path.is_file()}
    output, said = tmp_path / "new", []
    pictures = good_pictures(tmp_path / "drop", 6)
    new = renew_run(open_run(run), pictures, CALIBRATE, output, said.append)
    assert {path.name: path.read_bytes() for path in run.iterdir() if path.is_file()} == before
    copied = sorted(path.name for path in pictures_folder(output).iterdir())
    assert copied == [f"{number + 1:04d}-part_{number}_mask.png" for number in range(6)]
    assert new.path == output
    calibration = new.summary()["calibration"]
    assert calibration["num_images"] == 6
    assert new.summary()["images"]["train"] == open_run(run).summary()["images"]["train"]
    assert new.config == open_run(run).config
    # Again, from the new one: what set its thresholds may set them again.
    more = [*pictures, *good_pictures(tmp_path / "more", 1, start=400)]
    again = renew_run(new, more, CALIBRATE, tmp_path / "again", said.append)
    assert again.summary()["calibration"]["num_images"] == 7


def test_what_fails_leaves_nothing(run, data, tmp_path):
    names = open_run(run).provenance.hashes("train").values()
    trained_on = (data / next(iter(names))).read_bytes()
    pictures = [*good_pictures(tmp_path / "drop", 5), GoodPicture("x", trained_on, "png")]
    with pytest.raises(InputError, match="would promise too much"):
        renew_run(open_run(run), pictures, CALIBRATE, tmp_path / "new", print)
    with pytest.raises(InputError, match="vae_gan would have to be trained anew"):
        renew_run(open_run(run), pictures, UPDATE, tmp_path / "new", print)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["drop", "run"]


def test_nothing_is_written_where_something_is(run, tmp_path):
    (tmp_path / "new-good").mkdir()
    with pytest.raises(InputError, match="new-good cannot be created"):
        renew_run(open_run(run), [], CALIBRATE, tmp_path / "new", print)
    assert list((tmp_path / "new-good").iterdir()) == []


def test_why_there_is_no_new_run_is_a_sentence(trained):
    run = open_run(trained)
    assert "A SavedModel cannot" in describe_problem(None, "saved_model", UPDATE, 9)
    assert "A detector without its RUN" in describe_problem(None, "detector", CALIBRATE, 9)
    assert "networks of vae_gan" in describe_problem(run, "run", UPDATE, 9)
    assert "at least 5 good pictures" in describe_problem(run, "run", CALIBRATE, 4)
    assert describe_problem(run, "run", CALIBRATE, 5) is None


def test_a_run_on_features_can_be_updated(trained, monkeypatch):
    config = open_run(trained).config
    other = SimpleNamespace(config=config.from_mapping({"data": {"path": "x"}}, "a test"))
    assert describe_problem(other, "run", UPDATE, 5) is None
    assert "4 so far" in describe_problem(other, "run", UPDATE, 4)


@pytest.mark.parametrize(
    ("count", "part"), [(5, "16.7% at best; 5% needs 19"), (19, "19 pictures set"), (18, "needs")]
)
def test_the_rate_that_so_many_pictures_allow_is_said(count, part):
    assert part in describe_rate_of(count, 0.05)
