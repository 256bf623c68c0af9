"""The VAE-GAN on features from the command's first step to the last, on small pictures."""

import json

import pytest

from kerasad.export import export_saved_model
from kerasad.runs.evaluate import evaluate_run
from kerasad.runs.folder import CALIBRATION, HISTORY
from kerasad.runs.report import report_run
from kerasad.runs.train import train_run
from kerasad.training.config import DataConfig, ModelConfig, RunConfig, TrainingConfig
from kerasad.training.fitting import watched_epochs

pytestmark = pytest.mark.slow

SMALL = {"filters": 4, "latent_dim": 4, "embedding_dim": 8}


@pytest.fixture(scope="module")
def run(data, tmp_path_factory):
    config = RunConfig(
        DataConfig(str(data), image_size="64x64", batch_size=4),
        ModelConfig("feature_vae_gan", SMALL),
        TrainingConfig(epochs=1, false_alarm_rate=0.34, synthetic_defects=8),
    )
    return train_run(config, tmp_path_factory.mktemp("run") / "run", verbose=0, echo=lambda _: None)


def test_what_is_left_open_is_written_as_it_was_used(run):
    config = run.config
    assert config.model.arguments["backbone"] == "efficientnet_lite0"
    assert (config.training.learning_rate, config.training.decay) == (2e-3, "cosine")


def test_all_images_calibrate_and_the_networks_have_a_say(run):
    detector, record = run.load_detector(), json.loads((run.path / "split.json").read_text())
    assert not record["calibration"]
    assert detector.decision.summary()["num_images"] == len(record["train"])
    weights = detector.calibration_summary()["experts"]
    spoken = {name for name, row in weights.items() if row["score_weight"] > 0}
    assert spoken == {"patch_gaussian", "feature_residual"}
    assert "discriminator_auroc" in (run.path / HISTORY).read_text().splitlines()[0]


def test_it_is_measured_and_shown_on_padded_pictures(run):
    metrics = evaluate_run(run, verbose=0)
    assert metrics["pixel_auroc"] > 0.8
    page = report_run(run).read_text()
    assert "reconstruction" in page


def test_its_experts_know_places_though_pictures_are_padded(run):
    detector = run.load_detector()
    assert detector.keep_aspect
    assert detector.frame.cell_grid == (8, 8)
    assert not any(expert.position_free for expert in detector.experts)


def test_an_exported_version_answers_as_the_detector(run, tmp_path):
    # Publishing compares both and refuses if they differ.
    assert export_saved_model(run.load_detector(), tmp_path / "plate") is not None
    assert (tmp_path / "plate" / "1" / "saved_model.pb").is_file()


def test_a_run_trained_on_crops_is_scored_in_tiles(data, tmp_path):
    config = RunConfig(
        DataConfig(str(data), image_size="64x96", batch_size=4, crop_size="64x64"),
        ModelConfig("patch_gaussian"),
        TrainingConfig(false_alarm_rate=0.34, synthetic_defects=8),
    )
    run = train_run(config, tmp_path / "run", verbose=0, echo=lambda _: None)
    detector = run.load_detector()
    assert detector.frame.cell_grid is None
    assert detector.expert_maps.position_free
    assert json.loads((run.path / CALIBRATION).read_text())["threshold"] is not None


@pytest.mark.parametrize(
    ("epochs", "watched"),
    [(1, [1]), (3, [1, 2, 3]), (5, [2, 4, 5])],
)
def test_validation_images_are_looked_at_evenly_and_at_the_end(epochs, watched):
    assert watched_epochs(epochs, most=3) == watched
