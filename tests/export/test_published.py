"""A run from the command line to a client: what lies there, and what is answered."""

import ast
import importlib.util
import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from kerasad.data.decoding import decode_bytes, read_header
from kerasad.data.geometry import resize_image
from kerasad.export import execution
from kerasad.runs import export
from kerasad.runs.export import comparison_images
from kerasad.runs.run import Run

grpc = pytest.importorskip("grpc")
pytest.importorskip("tensorflow_serving")
pytestmark = pytest.mark.slow


def load_server():
    path = Path(__file__).with_name("session_server.py")
    spec = importlib.util.spec_from_file_location("session_server", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def read_card(version):
    def refuse(constant):
        raise ValueError(constant)

    return json.loads((version / "model_card.json").read_text(), parse_constant=refuse)


def test_a_version_holds_all_that_a_server_reads(published):
    version = published.version
    assert sorted(os.listdir(version.parent)) == ["1", "batching.config", "models.config"]
    found = {str(path.relative_to(version)) for path in version.rglob("*") if path.is_file()}
    assert found >= {
        "saved_model.pb",
        "variables/variables.index",
        "model_card.json",
        "assets.extra/tf_serving_warmup_requests",
    }
    assert f"Written to {version}" in published.output
    assert "Compared on 6 images (calibration images of the run)" in published.output
    assert "Note: Of the 12 photos of this run, 1 TIFF cannot be sent" in published.output


def test_the_model_card_says_what_the_version_is(published, run):
    card = read_card(published.version)
    detector = Run(run).load_detector()
    summary = detector.calibration_summary()
    assert card["name"] == "plates"
    assert card["image_size"] == [32, 32]
    assert card["pixel_limit"] == 4_000_000  # its photos have 1024 pixels
    assert card["threshold"] == summary["threshold"]
    assert card["pixel_threshold"] == summary["pixel_threshold"]
    assert card["false_alarm_rate"] == summary["false_alarm_rate"]
    assert card["num_calibration_images"] == 6
    assert card["versions"]["tensorflow"] == tf.__version__
    assert card["data"]["name"] == "plates"
    parts = {"train": 5, "validation": 1, "calibration": 6, "labelled": 0, "tuning": 0}
    assert card["data"]["num_images"] == parts
    assert len(card["data"]["sha256"]["train"]) == 64
    assert card["metrics"] is None
    assert card["data_licence"] == "not known"
    assert card["warmup_batch_sizes"] == [1, 2, 4, 8, 16]
    assert card["parity"]["images"] == {"files": 6, "synthetic_defects": 6, "encodings": 3}
    outputs = card["signatures"]["serving_bytes"]["outputs"]
    assert outputs["anomaly_map"]["shape"] == [None, 32, 32, 1]
    assert outputs["overlay_bytes"]["dtype"] == "string"
    assert str(run.parent) not in json.dumps(card)


def test_an_official_client_gets_the_detectors_numbers_for_png_bytes(
    published, run, images, encode
):
    files = [encode(image) for image in images(4, 48, 40, seed=9)]
    server = load_server()
    with server.serve(published.version) as stub:
        request = server.make_request(files)
        answer = stub.Predict(request, timeout=60)
        outputs = {name: tf.make_ndarray(tensor) for name, tensor in answer.outputs.items()}
        bad = server.make_request([files[0], b"no picture"])
        with pytest.raises(grpc.RpcError) as refusal:
            stub.Predict(bad, timeout=60)
    assert refusal.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert "neither a PNG" in refusal.value.details()

    pixels = np.stack([decode_bytes(file, read_header(file)) for file in files])
    expected = Run(run).load_detector().predict(resize_image(pixels, 32, 32)[0], verbose=0)
    for name in ("anomaly_map", "anomaly_score", "p_value", "threshold", "attention_map"):
        np.testing.assert_allclose(outputs[name], expected[name], atol=1e-5, err_msg=name)
    assert outputs["is_anomalous"].tolist() == expected["is_anomalous"].tolist()
    assert all(tf.io.decode_png(png).shape == (256, 256, 3) for png in outputs["overlay_bytes"])


def test_what_the_fresh_process_runs_imports_no_part_of_kerasad():
    tree = ast.parse(Path(execution.__file__).read_text())
    imported = {
        name.name for node in ast.walk(tree) if hasattr(node, "names") for name in node.names
    }
    imported |= {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert "tensorflow" in imported
    assert not [name for name in imported if name.split(".")[0] in ("kerasad", "keras")]


def test_without_calibration_images_a_run_is_compared_on_others(run, tmp_path):
    """On its training images, and without those on none of its own."""
    shutil.copytree(run, tmp_path / "run")
    copy = Run(tmp_path / "run")
    known = copy.provenance
    files, origin = comparison_images(copy.config.data, None, known)
    assert {file.content_hash for file in files} == set(known.hashes("calibration"))
    assert origin == "calibration images of the run"
    files, origin = comparison_images(copy.config.data, None, known.replace(calibration=()))
    assert len(files) == 6
    assert origin == "train and validation images of the run"
    files, origin = comparison_images(
        copy.config.data, str(run.parent / "plates" / "00.png"), known
    )
    assert (len(files), origin) == (1, "images of 00.png")
    config = json.loads((copy.path / "config.json").read_text())
    config["data"]["path"] = str(tmp_path / "gone")
    (copy.path / "config.json").write_text(json.dumps(config))
    assert comparison_images(copy.config.data, None, known)[0] == ()


@pytest.mark.parametrize("stale", [False, True])
def test_metrics_from_before_the_last_calibration_are_left_out(run, tmp_path, monkeypatch, stale):
    copy = Run(shutil.copytree(run, tmp_path / "run"))
    current = copy.load_detector().decision.calibration_id
    metrics = {
        "image_auroc": 0.9,
        "calibration_id": "another" if stale else current,
        "data": "/home/someone/plates",
    }
    (copy.path / "metrics.json").write_text(json.dumps(metrics))
    given = {}
    monkeypatch.setattr(export, "export_saved_model", lambda *_, **options: given.update(options))
    export.export_run(copy, tmp_path / "plates")
    found = given["details"]["metrics"]
    if stale:
        assert list(found) == ["notes"]
    else:
        assert found == {"image_auroc": 0.9, "calibration_id": current}


@pytest.mark.parametrize("data", ["present", "gone"])
def test_the_card_counts_photos_of_the_run_that_cannot_be_sent(run, tmp_path, monkeypatch, data):
    copy = Run(shutil.copytree(run, tmp_path / "run"))
    if data == "gone":
        config = json.loads((copy.path / "config.json").read_text())
        config["data"]["path"] = str(tmp_path / "nowhere")
        (copy.path / "config.json").write_text(json.dumps(config))
    given = {}
    monkeypatch.setattr(export, "export_saved_model", lambda *_, **options: given.update(options))
    export.export_run(copy, tmp_path / "plates")
    assert given["details"]["data"]["cannot_be_sent"] == {"TIFF": 1}


def test_refusals_are_one_sentence_and_leave_nothing(run, verb, tmp_path):
    (tmp_path / "empty").mkdir()
    result = verb("export", run, "--output", tmp_path / "a", "--data", tmp_path / "empty")
    assert result.exit_code == 2
    assert "has no usable image to compare on" in result.stderr
    result = verb("export", run, "--output", tmp_path / "3")
    assert result.exit_code == 2
    assert "name the model's folder above it" in result.stderr
    assert os.listdir(tmp_path) == ["empty"]
