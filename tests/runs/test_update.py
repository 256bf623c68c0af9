import dataclasses

import pytest
from command_line import refused

from kerasad.errors import InputError
from kerasad.runs.update import check_updatable
from kerasad.training.config import DataConfig, ModelConfig, RunConfig, TrainingConfig

CONFIG = RunConfig(DataConfig("plate"), ModelConfig("feature_statistics"), TrainingConfig())


def test_a_run_of_a_trained_model_is_refused_and_nothing_is_left(run, data, tmp_path):
    new = tmp_path / "new"
    message = refused("update", run, "--data", data, "--output", new)
    assert "the networks of vae_gan would have to be trained anew" in message
    assert "`kerasad train` with all good images, former and new ones" in message
    assert not new.exists()
    assert not list(tmp_path.glob(".new*"))


def test_an_update_never_replaces_a_run(run, data):
    before = {path.name: path.read_bytes() for path in run.iterdir()}
    message = refused("update", run, "--data", data, "--output", run)
    assert "an update is a new run, choose another --output" in message
    assert {path.name: path.read_bytes() for path in run.iterdir()} == before


def changed(section, **values):
    return dataclasses.replace(
        CONFIG, **{section: dataclasses.replace(getattr(CONFIG, section), **values)}
    )


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        (changed("model", name="feature_vae_gan"), "networks of feature_vae_gan"),
        (changed("model", name="gaussian_mixture"), "gaussian_mixture keeps nothing of the former"),
        (changed("data", crop_size="64"), "cuts tiles"),
        (changed("training", strict=True), "can only expect one"),
    ],
)
def test_what_cannot_be_updated_is_refused_with_the_reason(config, reason):
    with pytest.raises(InputError, match=reason):
        check_updatable(config)


def test_statistics_of_whole_images_can_be_updated():
    check_updatable(CONFIG)
