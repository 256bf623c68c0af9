import inspect

import pytest

from kerasad.errors import InputError
from kerasad.training.config import DataConfig, RunConfig, load_config
from kerasad.training.settings import merge

FULL = {
    "data": {"path": "photos", "image_size": 96, "split": [0.5, 0.25, 0.25], "max_value": 4095},
    "model": {"name": "vae_gan", "arguments": {"latent": "dense", "kl_weight": 0.5}},
    "training": {"epochs": 3, "learning_rate": 1, "strict": True},
}


def test_json_round_trip_keeps_every_value(tmp_path):
    config = RunConfig.from_mapping(FULL)

    config.write(tmp_path / "config.json")
    assert load_config(tmp_path / "config.json") == config
    assert config.data.image_size == "96"
    assert config.data.split == (0.5, 0.25, 0.25)
    assert config.model.arguments == {"latent": "dense", "kl_weight": 0.5}
    assert config.training.learning_rate == 1.0
    assert config.training.seed == 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"data": {"image_sise": "64"}}, r"`data.image_sise` .* mean `data.image_size`"),
        ({"optimiser": {}}, "`optimiser` .* is not a setting"),
        ({"training": {"epochs": "ten"}}, "`training.epochs` .* type int, found 'ten'"),
        ({"training": {"epochs": True}}, "`training.epochs` .* type int, found True"),
        ({"training": {"seed": 1.5}}, "`training.seed` .* type int"),
        ({"data": {"split": [0.5, 0.5]}}, "`data.split` .* list of 3 numbers"),
        ({"model": {"arguments": [1]}}, "`model.arguments` .* type dict"),
        ({"format": 1}, "has format 1, .* train again"),
        ({"training": {"decay": "linear"}}, "decay` must be one of .*'cosine'.* found 'linear'"),
        ({"training": {"learning_rate": 0}}, "learning_rate` must be above 0, found 0"),
        ({"training": {"epochs": 0}}, "`training.epochs` must be at least 1, found 0"),
        (
            {"training": {"review_rate": 0.05}},
            r"review_rate` must be above the false-alarm rate of 0\.05, found 0\.05",
        ),
        ({"training": {"false_alarm_rate": 1}}, "false_alarm_rate` must be below 1, found 1"),
        ({"data": {"overlap": -1}}, "`data.overlap` must be at least 0"),
    ],
)
def test_a_wrong_entry_is_named(change, message):
    with pytest.raises(InputError, match=message):
        RunConfig.from_mapping(merge(FULL, change))


def test_the_data_must_be_named():
    with pytest.raises(InputError, match=r"set `data\.path`"):
        RunConfig.from_mapping({"training": {}})


def test_a_file_that_is_not_json_is_named(tmp_path):
    path = tmp_path / "broken.json"
    path.write_text("{")
    with pytest.raises(InputError, match=r"broken\.json is not valid JSON"):
        load_config(path)
    path.write_text("[]")
    with pytest.raises(InputError, match="must be a JSON object, found"):
        load_config(path)
    with pytest.raises(InputError, match="cannot be read"):
        load_config(tmp_path / "missing.json")


def test_merge_changes_leaves_and_none_changes_nothing():
    base = {"a": {"x": 1, "y": 2}, "b": 3}

    assert merge(base, {"a": {"y": 5, "z": None}, "c": 6}) == {
        "a": {"x": 1, "y": 5},
        "b": 3,
        "c": 6,
    }
    assert base == {"a": {"x": 1, "y": 2}, "b": 3}


def test_the_data_settings_have_the_defaults_of_the_python_function():
    from kerasad.data import load_category

    signature = inspect.signature(load_category).parameters
    config = RunConfig(DataConfig("photos")).to_dict()["data"]
    shared = set(config) & set(signature) - {"image_size", "batch_size"}
    assert shared >= {"split", "crop_size", "cache_megabytes", "on_bad"}
    for name in shared:
        default = signature[name].default
        assert config[name] == default, name
    assert DataConfig("photos").decoding == signature["decoding"].default
    assert RunConfig.from_mapping(FULL).data.decoding.max_value == 4095


@pytest.mark.parametrize(
    ("base", "message"),
    [
        ({"model": 5}, "`model` in tiny.json must be an object, found 5"),
        ({"data": []}, r"`data` in tiny.json must be an object, found \[\]"),
        ({"model": {"arguments": "x"}}, "`model.arguments` in tiny.json must be an object"),
    ],
)
def test_a_section_that_is_none_is_not_silently_replaced(base, message):
    changes = {"data": {"path": "photos"}, "model": {"arguments": {"latent": "conv"}}}
    with pytest.raises(InputError, match=message):
        merge(base, changes, "tiny.json")
    assert merge({"model": None}, changes) == changes


@pytest.mark.parametrize("data", [5, "photos", ["path"]])
def test_data_that_is_no_object_is_refused(data):
    with pytest.raises(InputError, match="`data` in the configuration must be an object"):
        RunConfig.from_mapping({"data": data})
