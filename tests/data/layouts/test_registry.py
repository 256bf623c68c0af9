"""The registry: each layout takes its own trees, and nothing else."""

import os
from pathlib import Path
from unittest import mock

import pytest

from kerasad.data import read_category
from kerasad.data.layouts import LAYOUTS, category_folders, find_layout
from kerasad.data.layouts.folders import Walker
from kerasad.training.locations import find_categories

TREES = {
    "mvtec_loco": ["train/good/0.png", "validation/good/1.png", "test/logical_anomalies/2.png"],
    "mvtec_ad2": ["train/good/0.png", "validation/good/1.png", "test_public/bad/2.png"],
    "visa": ["Data/Images/Normal/0.JPG", "Data/Images/Anomaly/1.JPG", "Data/Masks/Anomaly/1.png"],
    "btad": ["train/ok/0.bmp", "test/ok/1.bmp", "test/ko/2.bmp", "ground_truth/ko/2.png"],
    "kolektor_sdd": ["kos01/Part0.jpg", "kos01/Part0_label.bmp"],
    "kolektor_sdd2": ["train/1.png", "train/1_GT.png", "test/2.png", "test/2_GT.png"],
    "dagm": ["Train/1.PNG", "Train/Label/1_label.PNG", "Test/2.PNG", "Test/Label/2_label.PNG"],
    "magnetic_tile": ["MT_Free/Imgs/0.jpg", "MT_Free/Imgs/0.png", "MT_Fray/Imgs/1.jpg"],
    "mvtec": ["train/good/0.png", "test/dent/1.png", "ground_truth/dent/1_mask.png"],
}
# Those of no data set, which take what the names of folders explain.
BY_NAMES = {"split by the user", "good and bad side by side"}


@pytest.fixture
def archives(tmp_path, write_images):
    for name, tree in TREES.items():
        write_images(*(f"{name}/{path}" for path in tree))
    return tmp_path


@pytest.mark.parametrize("name", TREES)
def test_a_layout_takes_its_own_tree_only(name, archives):
    assert find_layout(archives / name).name == name
    takers = {layout.name for layout in LAYOUTS if layout.recognizes(archives / name)}
    assert takers - {"mvtec", *BY_NAMES} == {name} - {"mvtec"}


@pytest.mark.parametrize("name", TREES)
def test_a_tree_with_one_folder_renamed_is_not_taken(name, archives):
    folder = archives / name / Path(TREES[name][0]).parts[0]
    folder.rename(folder.with_name("photos"))
    takers = {layout.name for layout in LAYOUTS if layout.recognizes(archives / name)}
    assert takers <= BY_NAMES


def test_a_layout_is_recognized_without_opening_a_file(archives, monkeypatch):
    def refuse(path, *arguments, **options):
        raise AssertionError(f"{path} was opened")

    monkeypatch.setattr("builtins.open", refuse)
    monkeypatch.setattr(os, "open", refuse)
    assert len(category_folders(archives)) == len(TREES)


def test_a_folder_of_data_sets_is_a_folder_of_categories(archives):
    assert [folder.name for folder in category_folders(archives)] == sorted(TREES)
    found = find_categories([str(archives)])
    assert found == {name: str(archives / name) for name in sorted(TREES)}


@pytest.mark.parametrize(
    "tree", [("batch 1/1", "batch 2/1"), ("ok/1", "nok/1"), ("train/1", "test/nok/1")]
)
def test_a_tree_without_a_layout_of_its_own_is_walked_once(tree, draw):
    data = draw(*tree)
    with mock.patch("kerasad.data.layouts.by_names.Walker", wraps=Walker) as walks:
        assert len(read_category(data).good) == len(tree) - any("nok" in name for name in tree)
    assert walks.call_count == 1
