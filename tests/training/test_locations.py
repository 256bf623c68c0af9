import os

import pytest

from kerasad.errors import InputError
from kerasad.training.config import DataConfig, ModelConfig, RunConfig
from kerasad.training.locations import find_categories, full_path, with_data, with_full_paths


@pytest.mark.parametrize("name", ["encoder_weights", "backbone_weights"])
def test_every_path_of_a_configuration_means_the_same_from_another_folder(
    name, tmp_path, monkeypatch
):
    for folder in ("images", "defects", "resnet18.pth"):
        (tmp_path / folder).mkdir()
    monkeypatch.chdir(tmp_path)
    arguments = {name: "resnet18.pth", "latent_dim": 3}
    config = RunConfig(
        DataConfig("images", labelled="defects"), ModelConfig("cavga_weak_r", arguments)
    )
    found = with_full_paths(config)
    assert found.data.path == os.path.join(tmp_path, "images")
    assert found.data.labelled == os.path.join(tmp_path, "defects")
    weights = os.path.join(tmp_path, "resnet18.pth")
    assert found.model.arguments == {name: weights, "latent_dim": 3}
    assert config.model.arguments == arguments  # a copy, the given one stays


def test_a_backbone_is_a_path_only_where_there_is_a_folder_of_a_network(tmp_path, monkeypatch):
    for name in ("dino", "efficientnet_lite2"):
        (tmp_path / name).mkdir()
    (tmp_path / "dino/config.json").write_text("{}")
    monkeypatch.chdir(tmp_path)
    for backbone, expected in (
        ("dino", os.path.join(tmp_path, "dino")),
        ("efficientnet_lite2", "efficientnet_lite2"),
        ("dinov2_small", "dinov2_small"),
    ):
        model = ModelConfig("feature_statistics", {"backbone": backbone})
        found = with_full_paths(RunConfig(DataConfig("demo/brick"), model))
        assert found.model.arguments == {"backbone": expected}


def test_a_demo_keeps_its_name_and_nothing_is_made_of_what_is_not_given():
    assert full_path("demo/brick") == "demo/brick"
    config = RunConfig(DataConfig("demo/brick"), ModelConfig("cavga_r", {"encoder_weights": None}))
    assert with_full_paths(config) == config
    config = RunConfig(DataConfig("demo/brick"), ModelConfig("x", {"backbone_weights": "imagenet"}))
    assert with_full_paths(config) == config


@pytest.fixture
def categories(tmp_path):
    """A folder with the categories bottle and plate, and a folder that is none."""
    for name in ("bottle/train/good", "plate/train/good", "plate/test/good", "licence"):
        (tmp_path / "data" / name).mkdir(parents=True)
    return tmp_path / "data"


def test_a_folder_of_categories_stands_for_each_of_them_and_a_demo_keeps_its_name(
    categories, monkeypatch, tmp_path
):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    found = find_categories([str(categories), "demo/grass", str(categories / "plate")])
    assert found == {
        "bottle": str(categories / "bottle"),
        "plate": str(categories / "plate"),
        "grass": "demo/grass",
    }


def test_two_categories_of_one_name_are_refused(categories, tmp_path):
    (tmp_path / "plate/train/good").mkdir(parents=True)
    with pytest.raises(InputError, match="Two categories are called plate"):
        find_categories([str(categories), str(tmp_path / "plate")])


@pytest.mark.parametrize("name", ["licence", "absent", "plate/train/good"])
def test_what_holds_no_category_is_refused(name, categories):
    with pytest.raises(InputError, match="neither one category"):
        find_categories([str(categories / name)])


def test_a_file_that_is_left_out_is_so_of_its_own_data_as_long_as_it_is_there(
    tmp_path, monkeypatch
):
    for name in ("data/1.png", "data/2.png", "other/1.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path)
    config = DataConfig("data", exclude=("1.png", "gone.png", "data/2.png"))
    fixed = with_full_paths(RunConfig(config)).data
    assert fixed.exclude == ("1.png", "gone.png", str(tmp_path / "data/2.png"))
    assert with_data(fixed).exclude == ("1.png", str(tmp_path / "data/2.png"))
    assert with_data(fixed, "other").exclude == ()
