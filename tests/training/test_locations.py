import os

import pytest

from kerasad.training.config import DataConfig, ModelConfig, RunConfig
from kerasad.training.locations import full_path, with_full_paths


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


def test_a_demo_keeps_its_name_and_nothing_is_made_of_what_is_not_given():
    assert full_path("demo/brick") == "demo/brick"
    config = RunConfig(DataConfig("demo/brick"), ModelConfig("cavga_r", {"encoder_weights": None}))
    assert with_full_paths(config) == config
    config = RunConfig(DataConfig("demo/brick"), ModelConfig("x", {"backbone_weights": "imagenet"}))
    assert with_full_paths(config) == config
