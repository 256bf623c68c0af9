"""Which good images belong together."""

import dataclasses

import numpy as np
import pytest
from records import make_records

from kerasad.data.grouping import group_images
from kerasad.errors import InputError


def with_paths(*paths):
    return [
        dataclasses.replace(record, path=f"/data/{path}", relative_path=path)
        for record, path in zip(make_records(len(paths)), paths, strict=True)
    ]


def groups_of(records, *arguments):
    return [record.group for record in group_images(records, *arguments)[0]]


SCENES = with_paths("a/s1_0.png", "a/s1_1.png", "b/s2_0.png", "b/other.png")


def test_folder_groups_by_the_folder_of_a_file():
    assert groups_of(SCENES, "folder") == ["a", "a", "b", "b"]
    assert groups_of(with_paths("0.png", "a/1.png"), "folder") == [".", "a"]


def test_a_pattern_names_the_group_and_what_it_does_not_match_is_its_own():
    assert groups_of(SCENES, r"(s\d)_") == ["s1", "s1", "s2", None]


def test_none_drops_the_groups_that_the_data_set_states():
    stated = [dataclasses.replace(record, group="x") for record in SCENES[:2]]
    assert groups_of(stated, "none") == [None, None]


def test_auto_takes_what_the_data_set_states_before_looks():
    stated = [dataclasses.replace(SCENES[0], group="x"), *SCENES[1:]]
    found, what = group_images(stated, "auto", lambda records: np.zeros(4))
    assert ([record.group for record in found], what) == (["x", None, None, None], "the data set")
    assert groups_of(SCENES, "auto") == [None] * 4
    found, what = group_images(SCENES, "auto", lambda records: np.array([5, 2, 5, 7]))
    assert [record.group for record in found] == ["a/s1_0.png", None, "a/s1_0.png", None]
    assert what == "their looks"


@pytest.mark.parametrize(
    ("group_by", "message"),
    [
        ("(s", r"group_by='\(s' is not a regular expression"),
        ("scene", "has 0 groups in parentheses"),
        ("(a)(b)", "has 2 groups in parentheses"),
        ("(kos)", "matches no image, such as a/s1_0.png"),
        ("(png)", "puts all 4 good images into one group, png"),
    ],
)
def test_a_pattern_of_no_use_is_refused(group_by, message):
    with pytest.raises(InputError, match=message):
        group_images(SCENES, group_by)


def test_one_folder_is_no_grouping():
    with pytest.raises(InputError, match="puts all 2 good images into one group, a"):
        group_images(SCENES[:2], "folder")


def test_a_pattern_sees_the_end_of_a_long_path():
    records = with_paths("x" * 500 + "/s1_0.png", "y/s2_0.png")
    assert groups_of(records, r"(s\d)_") == ["s1", "s2"]
    assert groups_of(records, "(x+)/") == ["x" * 191, None]
