"""A run on a tiny network of keras-hub, from a folder that is then gone."""

import shutil

import pytest
from command_line import must

from kerasad.files import read_json

pytestmark = pytest.mark.slow


def test_a_run_on_a_folders_network_needs_the_folder_no_longer(data, tmp_path):
    hub = pytest.importorskip("keras_hub", reason="keras-hub is an extra, kerasad[hub]")
    folder, run = tmp_path / "dino", tmp_path / "run"
    network = hub.models.DINOV2Backbone(
        patch_size=14,
        num_layers=2,
        hidden_dim=16,
        num_heads=2,
        intermediate_dim=32,
        image_shape=(42, 42, 3),
        position_embedding_shape=(42, 42),
    )
    network.save_to_preset(folder)
    words = ["--image-size", 64, "--false-alarm-rate", 0.34, "--synthetic-defects", 8]
    words += ["--model", "feature_statistics", "--backbone", folder]
    output = must("train", data, *words, "--output", run).output
    assert "sides that are multiples of 14: it sees images of 64 x 64 pixels" in output
    assert read_json(run / "config.json")["model"]["arguments"]["backbone"] == str(folder)
    shutil.rmtree(folder)
    must("evaluate", run)
    # The export compares its answers with the detector's, in a process without keras-hub.
    must("export", run, "--output", tmp_path / "plates", "--no-warmup")
    assert (tmp_path / "plates/1/saved_model.pb").is_file()
