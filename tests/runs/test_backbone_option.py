"""The option `--backbone`, and a backbone whose package is missing."""

import sys

import pytest
from command_line import refused

from kerasad.errors import MissingPackageError
from kerasad.models import FeatureExtractor
from kerasad.runs.keras_file import load_keras


@pytest.mark.parametrize(
    ("model", "backbone", "words"),
    [
        ("vae_gan", "efficientnet_lite2", "--backbone is not an argument of vae_gan"),
        ("feature_statistics", "efficientnet_lite3", "did you mean 'efficientnet_lite"),
    ],
)
def test_a_backbone_that_is_of_no_use_is_refused_before_anything_is_written(
    model, backbone, words, data, tmp_path
):
    path = tmp_path / "run"
    options = ["--model", model, "--backbone", backbone, "--image-size", 32, "--output", path]
    assert words in refused("train", data, *options)
    assert not list(tmp_path.iterdir())


def test_a_file_whose_backbone_needs_a_missing_package_says_so_and_not_that_it_is_damaged(
    tmp_path, monkeypatch
):
    pytest.importorskip("keras_hub", reason="keras-hub is an extra, kerasad[hub]")
    architecture = {
        "family": "dinov3",
        "patch_size": 16,
        "num_layers": 1,
        "hidden_dim": 4,
        "num_heads": 1,
        "intermediate_dim": 4,
        "num_register_tokens": 0,
    }
    model = FeatureExtractor((16, 16, 3), "dino", None, None, architecture)
    model.save(tmp_path / "model.keras")
    assert isinstance(load_keras(tmp_path / "model.keras", FeatureExtractor), FeatureExtractor)
    monkeypatch.setitem(sys.modules, "keras_hub", None)
    with pytest.raises(MissingPackageError, match=r'run `pip install "\.\[hub\]"`'):
        load_keras(tmp_path / "model.keras", FeatureExtractor)
