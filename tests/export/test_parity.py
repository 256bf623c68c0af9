"""The gate, on what it must let through and on what it must not."""

import json

import numpy as np
import pytest
import tensorflow as tf

from kerasad.data.decoding import Decoding
from kerasad.errors import InputError
from kerasad.export import execution, export_saved_model
from kerasad.export.execution import pack_files, unpack_files
from kerasad.export.parity import (
    TOLERANCE,
    ParityError,
    check_parity,
    compare_outputs,
    map_scale,
)
from kerasad.export.samples import collect_samples

DECODING = Decoding(pixel_limit=10_000)  # of the models that `served` makes


@pytest.fixture
def answers(served, images):
    """A detector and its answers to two images."""
    detector = served("plain").detector
    outputs = detector.predict(images(2, 32, 32, seed=8), verbose=0)
    return detector, {name: np.array(value) for name, value in outputs.items()}


def compare(detector, expected, **changes):
    found = {**expected, **changes}
    valid = np.ones_like(expected["anomaly_map"], bool)
    return compare_outputs(detector, expected, found, valid, map_scale(detector), "here")


def test_equal_answers_pass_with_no_difference(answers):
    assert set(compare(*answers).values()) == {0.0}


@pytest.mark.parametrize("name", ["anomaly_map", "anomaly_score"])
def test_differences_up_to_a_share_of_the_scale_pass(answers, name):
    detector, expected = answers
    margin = TOLERANCE * map_scale(detector)
    near = compare(detector, expected, **{name: expected[name] + 0.5 * margin})
    assert near[name] == pytest.approx(0.5 * margin, rel=0.1)
    with pytest.raises(ParityError, match=f"here: {name} differs.*nothing was published"):
        compare(detector, expected, **{name: expected[name] + 2 * margin})


@pytest.mark.parametrize(
    "name", ["anomaly_map", "anomaly_score", "attention_map", "threshold", "review_threshold"]
)
def test_what_is_not_a_number_never_passes(answers, name):
    detector, expected = answers
    wrong = expected[name].copy()
    wrong.flat[0] = np.nan
    with pytest.raises(ParityError, match=name):
        compare(detector, expected, **{name: wrong})


@pytest.mark.parametrize(
    ("decision", "of"), [("is_anomalous", "threshold"), ("needs_review", "review_threshold")]
)
def test_a_decision_may_only_differ_at_its_threshold(answers, decision, of):
    detector, expected = answers
    threshold = getattr(detector, of)
    expected["anomaly_score"][:] = threshold + 0.5 * TOLERANCE * map_scale(detector)
    expected[decision][:] = True
    # As near to the threshold as this, the score may round to either side.
    ties = (detector.decision.stored_scores() >= threshold).sum()
    p_value = np.full(2, (1 + ties) / 10, "float32")
    compare(detector, expected, **{decision: np.array([True, False])}, p_value=p_value)
    expected["anomaly_score"][:] = threshold + 2 * TOLERANCE * map_scale(detector)
    with pytest.raises(ParityError, match=rf"{decision} .* for 1 of 2 images"):
        compare(detector, expected, **{decision: np.array([True, False])}, p_value=p_value)


def test_another_p_value_never_passes(answers):
    detector, expected = answers
    expected["anomaly_score"][:] = 1e3
    expected["is_anomalous"][:] = True
    expected["p_value"][:] = 0.1  # of 9 calibration images, none reaches this score
    compare(detector, expected)
    with pytest.raises(ParityError, match=r"p_value .* for 1 of 2 images"):
        compare(detector, expected, p_value=np.array([0.1, 0.2], "float32"))
    with pytest.raises(ParityError, match=r"p_value .* for 1 of 2 images"):
        compare(detector, expected, p_value=np.array([0.1, np.nan], "float32"))


def check_here(model, samples, scratch):
    """Runs in this process: `test_published` has a fresh one."""
    return check_parity(model.detector, model.folder, samples, 8, scratch, run=execution.main)


@pytest.mark.slow
def test_the_gate_passes_a_true_export_of_padded_images(served, tmp_path):
    model = served("padded")
    samples, counts = collect_samples((), model.detector.geometry, DECODING)
    assert counts == {"files": 12, "synthetic_defects": 12, "encodings": 3}
    found = check_here(model, samples, tmp_path)
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert set(found["largest_difference"]) == {"session", "loaded"}
    for signatures in found["largest_difference"].values():
        assert set(signatures) == {"serving_default", "serving_bytes"}
        assert all(value["anomaly_map"] < 1e-5 for value in signatures.values())


def test_the_gate_refuses_an_export_with_other_weights(served, tmp_path):
    model = served("plain")
    samples, _ = collect_samples((), model.detector.geometry, DECODING)
    weights = model.detector.get_weights()
    model.detector.fusion_weights.assign(model.detector.fusion_weights * 1.001)
    try:
        with pytest.raises(ParityError, match=r"anomaly_(map|score) differs"):
            check_here(model, samples[:4], tmp_path)
    finally:
        model.detector.set_weights(weights)


@pytest.mark.slow
def test_an_export_that_does_not_run_is_not_published(served, tmp_path, monkeypatch):
    detector = served("plain").detector  # made before nothing can be saved
    monkeypatch.setattr(tf.saved_model, "save", lambda *arguments, **options: None)
    with pytest.raises(ParityError, match="could not be run, nothing was published"):
        export_saved_model(detector, tmp_path / "plate", warmup=False)
    assert not (tmp_path / "plate").exists()


def test_files_are_packed_without_pickle(tmp_path):
    files = [b"", b"a\0\0", b"\0", b"longer\xff"]
    np.savez(tmp_path / "x.npz", **pack_files(files))
    with np.load(tmp_path / "x.npz", allow_pickle=False) as arrays:
        assert unpack_files(arrays).tolist() == files


def test_a_detector_that_is_not_calibrated_is_refused(served, tmp_path):
    detector = served("plain").detector
    weights = detector.get_weights()
    detector.decision.forget()
    try:
        with pytest.raises(InputError, match="not calibrated"):
            export_saved_model(detector, tmp_path / "plate")
    finally:
        detector.set_weights(weights)
    assert not (tmp_path / "plate").exists()
