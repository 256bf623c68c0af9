import json
import os

import pytest

from kerasad.errors import InputError
from kerasad.tuning.folder import check_folder, search_folder

ASKED = {"tuner": "random", "trials": 2}


def begin(folder, overwrite=False, asked=ASKED):
    with search_folder(folder, asked, overwrite):
        return sorted(os.listdir(folder))


def fill(folder):
    """A search that has run, and a run that was trained into its folder."""
    begin(folder)
    (folder / "tuner" / "trial_0").mkdir(parents=True)
    for name in ("trials.json", "best_config.json", "tuner/trial_0/trial.json"):
        (folder / name).write_text("{}")
    (folder / "tuned").mkdir()
    (folder / "tuned" / "model.keras").write_text("precious")


def test_a_search_is_taken_up_with_all_that_it_has(tmp_path):
    fill(tmp_path / "search")
    found = begin(tmp_path / "search")
    assert found == ["best_config.json", "search.json", "trials.json", "tuned", "tuner"]
    assert (tmp_path / "search/tuner/trial_0/trial.json").exists()


def test_overwriting_deletes_a_search_and_nothing_else(tmp_path):
    fill(tmp_path / "search")
    other = {**ASKED, "tuner": "bayesian"}
    assert begin(tmp_path / "search", overwrite=True, asked=other) == ["search.json", "tuned"]
    assert json.loads((tmp_path / "search/search.json").read_text()) == other
    assert (tmp_path / "search/tuned/model.keras").read_text() == "precious"


def test_overwriting_that_was_stopped_can_be_repeated(tmp_path):
    folder = tmp_path / "search"
    begin(folder)
    (folder / "tuner").mkdir()
    (folder / "search.json").unlink()
    with pytest.raises(InputError, match="is not a search"):
        begin(folder)
    assert begin(folder, overwrite=True) == ["search.json"]


def test_a_search_killed_while_it_wrote_its_first_file_begins_anew(tmp_path):
    (tmp_path / ".search.partial-123.json").write_text("{")
    assert begin(tmp_path) == ["search.json"]


def test_only_a_searchs_own_leftovers_are_removed(tmp_path):
    fill(tmp_path)
    (tmp_path / ".tuned.partial-abc").mkdir()  # a training in progress
    (tmp_path / ".trials.partial-1.json").write_text("{")
    (tmp_path / ".tuner.partial-1" / "trial_0").mkdir(parents=True)
    (tmp_path / "tuner/trial_0/.trial.partial-1.json").write_text("{")
    begin(tmp_path)
    assert (tmp_path / ".tuned.partial-abc").is_dir()
    left = [path.name for path in tmp_path.rglob(".*.partial-*")]
    assert left == [".tuned.partial-abc"]


def test_a_folder_that_another_search_uses_is_refused(tmp_path):
    with search_folder(tmp_path, ASKED, False):
        with pytest.raises(InputError, match="by another process"):
            begin(tmp_path)
        with pytest.raises(InputError, match="by another process"):
            begin(tmp_path, overwrite=True)
        assert (tmp_path / "search.json").exists()
    assert begin(tmp_path) == ["search.json"]


@pytest.mark.parametrize("sign", ["*", "?", "[", "]"])
def test_a_name_that_is_taken_for_a_pattern_is_refused_before_anything_is_made(sign, tmp_path):
    folder = tmp_path / f"a{sign}b" / "search"
    with pytest.raises(InputError, match="pattern"):
        check_folder(folder, ASKED, False)
    assert not folder.parent.exists()
