"""When all good images train and calibrate."""

import pytest

from kerasad.errors import InputError
from kerasad.training.building import calibrates_crosswise
from kerasad.training.config import DataConfig, ModelConfig, RunConfig, TrainingConfig


def config_of(name="feature_statistics", crop_size=None, **training):
    data = DataConfig("data", crop_size=crop_size)
    return RunConfig(data, ModelConfig(name), TrainingConfig(**training))


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (config_of(), True),
        (config_of("patch_gaussian"), True),
        (config_of(strict=True), False),
        (config_of(calibration="split"), False),
        (config_of(calibration="crosswise"), True),
        (config_of(crop_size="64"), False),
        (config_of("vae_gan"), False),
        (config_of("feature_vae_gan"), True),
        (config_of("feature_vae_gan", strict=True), False),
    ],
)
def test_it_is_the_default_where_there_are_statistics_of_features(config, expected):
    assert calibrates_crosswise(config) is expected


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        (config_of("vae_gan", calibration="crosswise"), "it has no statistics of features"),
        (config_of(crop_size="64", calibration="crosswise"), "--tile trains on crops"),
    ],
)
def test_it_is_refused_where_an_image_cannot_be_left_out(config, reason):
    with pytest.raises(InputError, match=reason):
        calibrates_crosswise(config)


def test_a_guarantee_and_crosswise_calibration_contradict_each_other():
    with pytest.raises(InputError, match="leave one of them out"):
        config_of(strict=True, calibration="crosswise")
