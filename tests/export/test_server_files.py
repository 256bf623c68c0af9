import os
import re
import sys

import pytest
import tensorflow as tf
from google.protobuf import text_format

from kerasad.errors import InputError
from kerasad.export import export_saved_model
from kerasad.export.execution import WARMUP
from kerasad.export.server_files import (
    BATCHING,
    MODELS,
    default_batch_sizes,
    read_batch_sizes,
    write_server_files,
    write_warmup,
)

prediction_log_pb2 = pytest.importorskip("tensorflow_serving.apis.prediction_log_pb2")


def read_warmup(folder):
    records = tf.data.TFRecordDataset(str(folder / WARMUP)).as_numpy_iterator()
    logs = [prediction_log_pb2.PredictionLog.FromString(record) for record in records]
    return [log.predict_log.request for log in logs]


def test_batch_sizes_are_powers_of_two_that_fit_large_images():
    assert default_batch_sizes((64, 64)) == [1, 2, 4, 8, 16]
    assert default_batch_sizes((256, 256)) == [1, 2, 4, 8, 16]
    assert default_batch_sizes((512, 384)) == [1, 2, 4]
    assert default_batch_sizes((2048, 2048)) == [1]


@pytest.fixture
def scratch(tmp_path):
    folder = tmp_path / "scratch"
    folder.mkdir()
    return folder


def test_models_config_is_what_the_server_reads(tmp_path, scratch):
    from tensorflow_serving.config import model_server_config_pb2

    base = tmp_path / 'odd "name"'
    base.mkdir()
    write_server_files(base, (64, 64), scratch)
    assert sorted(os.listdir(base)) == [BATCHING, MODELS]
    text = (base / MODELS).read_text()
    message = text_format.Parse(text, model_server_config_pb2.ModelServerConfig())
    (config,) = message.model_config_list.config
    assert (config.name, config.base_path) == ('odd "name"', '/models/odd "name"')
    assert config.model_platform == "tensorflow"
    # What it suggests in comments is valid, too.
    suggestion = re.sub(r"# (By default|To choose).*", "", text).replace("    # ", "    ")
    message = text_format.Parse(suggestion, model_server_config_pb2.ModelServerConfig())
    assert message.model_config_list.config[0].version_labels == {"stable": 1, "canary": 2}


def test_the_largest_allowed_batch_is_the_largest_batch(tmp_path, scratch):
    write_server_files(tmp_path, (512, 512), scratch)
    text = (tmp_path / BATCHING).read_text()
    assert re.findall(r"^max_batch_size { value: (\d+) }$", text, re.M) == ["4"]
    assert re.findall(r"^allowed_batch_sizes: (\d+)$", text, re.M) == ["1", "2", "4"]


def test_files_that_a_user_has_changed_stay_and_count(tmp_path, scratch):
    (tmp_path / BATCHING).write_text(
        "max_batch_size { value: 6 }\n# allowed_batch_sizes: 5\n"
        "allowed_batch_sizes: 3\nallowed_batch_sizes : [1, 6]\n"
    )
    write_server_files(tmp_path, (64, 64), scratch)
    assert "value: 6" in (tmp_path / BATCHING).read_text()
    assert read_batch_sizes(tmp_path, (64, 64)) == [1, 3, 6]
    (tmp_path / BATCHING).write_text("max_batch_size { value: 6 }\n")
    assert read_batch_sizes(tmp_path, (64, 64)) == [1, 2, 4, 8, 16]


def test_both_signatures_are_warmed_up_at_every_batch_size(tmp_path):
    write_warmup(tmp_path, "plates", (24, 40), [1, 4])
    requests = read_warmup(tmp_path)
    found = {}
    for request in requests:
        assert request.model_spec.name == "plates"
        (name,) = request.inputs
        value = tf.make_ndarray(request.inputs[name])
        found[request.model_spec.signature_name, len(value)] = name, value
    assert set(found) == {(s, n) for s in ("serving_default", "serving_bytes") for n in (1, 4)}
    name, value = found["serving_default", 4]
    assert (name, value.shape, value.dtype) == ("images", (4, 24, 40, 3), "float32")
    name, value = found["serving_bytes", 4]
    assert name == "image_bytes"
    assert all(tf.io.decode_png(file).shape == (24, 40, 3) for file in value)
    assert (tmp_path / WARMUP).stat().st_size < 3000


def test_without_the_extra_an_export_says_what_to_install(served, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow_serving.apis", None)
    with pytest.raises(InputError, match=r'pip install "\.\[serving\]".*--no-warmup'):
        export_saved_model(served("plain").detector, tmp_path / "plates")
    assert not (tmp_path / "plates").exists()
