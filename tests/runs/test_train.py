import csv
import json
import os

import numpy as np
import pytest
from command_line import must, refused, write_image

from kerasad.runs.run import Run


def test_train_leaves_a_whole_run_and_says_where(trained, data):
    assert set(os.listdir(trained)) == {
        "config.json",
        "split.json",
        "history.csv",
        "model.keras",
        "detector.keras",
        "calibration.json",
    }
    output = trained.with_name("output.txt").read_text()
    assert f"Next: kerasad evaluate {trained}\n" in output
    assert "an image with a higher score is called defective." in output
    assert "of good images are called defective (34.0% asked for)." in output
    assert "(95 % interval)" in output
    assert sorted(os.listdir(trained.parent)) == ["output.txt", "plate", "run", "tiny.json"]


@pytest.mark.slow
def test_a_weak_model_learns_from_labelled_images_that_no_evaluation_counts(data, config, tmp_path):
    options = ["--config", config, "--model", "cavga_weak_d", "--output", tmp_path / "weak"]
    assert "name a folder of them" in refused("train", data, *options)
    output = must("train", data, *options, "--labelled-share", 0.1).output
    assert "labelled defective, never test images: 1" in output
    must("evaluate", tmp_path / "weak")
    metrics = json.loads((tmp_path / "weak/metrics.json").read_text())
    assert (metrics["num_images"], metrics["labelled_left_out"]) == (4, 1)
    assert Run(tmp_path / "weak").config.model.arguments["encoder_type"] == "dcgan"


def test_labelled_images_on_the_command_line_replace_those_of_a_configuration(data, tmp_path):
    path = tmp_path / "config.json"
    path.write_text(json.dumps({"data": {"labelled_share": 0.1}}))
    options = ["--config", path, "--model", "cavga_weak_d", "--output", tmp_path / "weak"]
    message = refused("train", data, *options, "--labelled", tmp_path / "absent")
    assert "absent" in message
    assert "both" not in message
    message = refused("train", data, *options, "--labelled", "a", "--labelled-share", 0.1)
    assert "both" in message


def test_the_configuration_of_a_run_is_complete(trained, data):
    config = Run(trained).config
    assert config.data.path == str(data)
    assert config.training.seed == config.model.arguments["seed"] == 3
    assert config.training.epochs == 1
    assert config.model.arguments["filters"] == 2
    assert config.model.arguments["num_clusters"] == 32  # a default of the model


def test_history_has_the_curves_of_networks_terms_and_iou(trained):
    with (trained / "history.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 1
    for name in ("encoder_loss", "decoder_loss", "discriminator_loss", "kl_loss", "val_kl_loss"):
        assert np.isfinite(float(rows[0][name]))
    assert 0 <= float(rows[0]["synthetic_iou"]) <= 1
    assert 0 <= float(rows[0]["synthetic_pixel_auroc"]) <= 1


def test_an_existing_run_is_refused(trained, data, config):
    message = refused("train", data, "--output", trained, "--config", config)
    assert "exists" in message
    assert "--overwrite" in message


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["nowhere", "--output", "out"], "nowhere"),
        (["{data}", "--output", "out", "--split", "a,b,c"], "--split a,b,c"),
        (["{data}", "--output", "out", "--image-size", "big"], "image_size='big'"),
        (["{data}", "--output", "out", "--config", "missing.json"], "missing.json cannot be read"),
        (["{data}", "--output", "out", "--false-alarm-rate", "2"], "--false-alarm-rate must be"),
        (["{data}", "--output", "out", "--epochs", "0"], "--epochs must be"),
        (["demo/wood", "--output", "out"], "known: brick, grass, gravel"),
        (["{data}", "--output", "out", "--split", "0.7,0.3,0"], "--split"),
        (["{data}", "--output", "out", "--tile", "4"], "size of 4 is below 32"),
        (["{data}", "--output", "out", "--image-size", "4x4"], "--image-size"),
        (["{data}", "--output", "out", "--image-size", "100000"], "10,000,000,000 pixels"),
        (["{data}", "--output", "{data}/train/good/000.png/run"], "choose another --output"),
    ],
)
def test_bad_input_is_one_sentence_and_leaves_nothing(arguments, part, data, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    arguments = [argument.format(data=data) for argument in arguments]
    assert part in refused("train", *arguments)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ("change", "part"),
    [
        (
            {"model": {"name": "vae_gan", "arguments": {"latent_dims": 4}}},
            "did you mean `latent_dim`?",
        ),
        ({"model": {"name": "gan"}}, "Unknown model 'gan'"),
        ({"data": {"crop": 32}}, "`data.crop`"),
        ({"model": 5}, "`model` in "),
        (
            {"model": {"name": "vae_gan", "arguments": {"filters": "x"}}},
            "`filters` must be a whole number",
        ),
        (
            {"model": {"name": "vae_gan", "arguments": {"kl_weight": None}}},
            "`kl_weight` must be a finite number",
        ),
    ],
)
def test_a_configuration_file_with_a_slip_is_refused(change, part, data, tmp_path):
    path = tmp_path / "config.json"
    path.write_text(json.dumps(change))
    assert part in refused("train", data, "--output", tmp_path / "run", "--config", path)
    assert os.listdir(tmp_path) == ["config.json"]


@pytest.mark.slow
def test_a_training_that_diverges_names_the_term_and_keeps_the_old_run(run, data, config, tmp_path):
    before = (run / "detector.keras").read_bytes()
    wild = json.loads(config.read_text()) | {"training": {"epochs": 3, "learning_rate": 1e30}}
    path = tmp_path / "wild.json"
    path.write_text(json.dumps(wild))
    message = refused("train", data, "--output", run, "--config", path, "--overwrite", code=1)
    assert "_loss`" in message
    assert (run / "detector.keras").read_bytes() == before
    assert sorted(os.listdir(tmp_path)) == ["run", "wild.json"]


def test_strict_refuses_a_rate_that_two_images_cannot_guarantee(data, config, tmp_path):
    arguments = ["train", data, "--output", tmp_path / "run", "--config", config]
    assert "needs 19" in refused(*arguments, "--false-alarm-rate", 0.05, "--strict")
    assert os.listdir(tmp_path) == []


@pytest.mark.slow
def test_few_good_photos_are_enough_with_crops_and_tiles_but_guarantee_nothing(tmp_path):
    for number in range(2):
        write_image(tmp_path / "good" / f"{number}.png", number)
    options = ["--image-size", "64x48", "--tile", 32, "--model", "patch_gaussian"]
    arguments = ["train", tmp_path / "good", "--output", tmp_path / "run", *options]
    assert "no false-alarm rate is guaranteed" in refused(*arguments, "--strict")
    result = must(*arguments)
    assert f"Next: kerasad predict {tmp_path / 'run'}" in result.output
    assert "Fewer than 5 good images" in result.output
    run = Run(tmp_path / "run")
    detector = run.load_detector()
    assert detector.calibration_summary()["false_alarm_rate"]["guaranteed"] is None
    assert detector.image_size == (64, 48)
    assert detector.model.image_shape == (32, 32, 3)
    assert detector.overlap == 16  # the default of 32 is no overlap for such a tile


def test_settings_of_a_training_are_refused_for_a_recipe_that_trains_nothing(data, tmp_path):
    words = ["train", data, "--model", "feature_memory", "--output", tmp_path / "run"]
    assert "trains no network: leave out --epochs" in refused(*words, "--epochs", 3)
    path = tmp_path / "config.json"
    path.write_text(json.dumps({"training": {"decay": "cosine"}}))
    assert "leave out `training.decay`" in refused(*words, "--config", path)


def test_a_recipe_that_trains_nothing_has_nothing_to_search(data, tmp_path):
    pytest.importorskip("keras_tuner")
    words = ["tune", data, "--model", "patch_gaussian", "--output", tmp_path / "search"]
    assert "there is nothing to search" in refused(*words, "--image-size", 32)
