"""The gate: what a fresh process gets from the SavedModel must be what the detector answers."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from kerasad.data.geometry import pack_inputs
from kerasad.detector.colour_scale import ColourScale
from kerasad.errors import FailedError
from kerasad.export import execution
from kerasad.export.samples import Sample
from kerasad.export.signatures import OUTPUTS, SERVING_BYTES, SERVING_DEFAULT

TOLERANCE = 1e-4
"""Largest difference, as a share of the scale of what is compared."""

_STATED_ALIKE = ("threshold", "review_threshold", "pixel_threshold")


class ParityError(FailedError):
    """The SavedModel does not answer as the detector does, or not at all."""


def map_scale(detector) -> float:
    """What differences of maps and scores are measured by: the range of the colour scale.

    At least 1, the spread of good pixels in the map.
    """
    scale = ColourScale(detector.pixel_threshold)
    return max(scale.high - scale.low, 1.0)


def check_parity(
    detector, folder: Path, samples: Sequence[Sample], batch_size: int, scratch: Path
) -> dict:
    """Runs a SavedModel in a fresh process and compares what it computes with the detector.

    Both signatures, in a TensorFlow session as TensorFlow Serving does, and after
    `tf.saved_model.load`. They are compared with what the detector's own graph computes, and the
    first sample also with the detector run operation by operation: two graphs share the faults of
    the graph optimizer. Maps and scores may differ by 1e-4 of `map_scale`, the attention map
    (which is in [0, 1]) by 1e-4; the thresholds must be equal. A decision or a p-value may only
    differ where a score is as near to the threshold, or to a calibration score, as that. Padding
    is not compared, nor is the overlay, which is drawn in graph from these outputs.

    Args:
        detector: a calibrated `AnomalyDetector`.
        folder: Path of the SavedModel.
        samples: `Sample`s, at least one.
        batch_size: int.
        scratch: Path of a folder for intermediate files.

    Returns:
        dict, ready for JSON: `tolerance`, `map_scale`, and `largest_difference` by execution,
        signature and output.

    Raises:
        ParityError: Something differs, or the process failed.
    """
    batches = [samples[i : i + batch_size] for i in range(0, len(samples), batch_size)]
    for number, batch in enumerate(batches):
        images = np.stack([sample.image for sample in batch])
        files = execution.pack_files([sample.data for sample in batch])
        np.savez(scratch / f"{number:04d}{execution.INPUTS}", images=images, **files)
    _run(folder, scratch)
    scale = map_scale(detector)
    largest: dict[str, dict[str, dict[str, float]]] = {}
    eager = _expected(detector.call_eagerly, samples[:1])
    for number, batch in enumerate(batches):
        for signature, (expected, valid) in _expected(detector.predict_on_batch, batch).items():
            for name in execution.EXECUTIONS:
                path = scratch / f"{number:04d}.{name}.{signature}.npz"
                with np.load(path, allow_pickle=False) as arrays:
                    found = {output: arrays[output] for output in OUTPUTS}
                where = f"{signature} ({name})"
                differences = _compare(detector, expected, found, valid, scale, where)
                if number == 0:
                    first = {output: values[:1] for output, values in found.items()}
                    where = f"{where}, beside eager mode"
                    _compare(detector, eager[signature][0], first, valid[:1], scale, where)
                seen = largest.setdefault(name, {}).setdefault(signature, {})
                for output, difference in differences.items():
                    seen[output] = max(seen.get(output, 0.0), difference)
    return {"tolerance": TOLERANCE, "map_scale": scale, "largest_difference": largest}


def _run(folder, scratch):
    # By its path, and without the path's folder in `sys.path`: kerasad itself is never imported.
    command = [sys.executable, "-P", execution.__file__, os.fspath(folder), os.fspath(scratch)]
    environment = {"TF_CPP_MIN_LOG_LEVEL": "3", **os.environ}
    result = subprocess.run(command, env=environment, capture_output=True, text=True)
    if result.returncode:
        # Below TensorFlow's message is where in the graph it arose.
        lines = [line for line in result.stderr.splitlines() if line.strip() and line[0] > " "]
        reason = lines[-1] if lines else f"exit code {result.returncode}"
        raise ParityError(f"The exported model could not be run, nothing was published: {reason}")


def _expected(predict, batch):
    """What a detector answers to pixels, and to files; and where to compare."""
    images = np.stack([sample.image for sample in batch])
    everywhere = np.ones((*images.shape[:3], 1), bool)
    outputs = predict(images)
    if batch[0].valid is None:
        return {name: (outputs, everywhere) for name in (SERVING_DEFAULT, SERVING_BYTES)}
    valid = np.stack([sample.valid for sample in batch])
    padded = predict(pack_inputs(images, valid))
    return {SERVING_DEFAULT: (outputs, everywhere), SERVING_BYTES: (padded, valid > 0.5)}


def _compare(detector, expected, found, valid, scale, where):
    """Returns the largest difference of each output; raises a `ParityError` if one is too large."""
    for name in OUTPUTS:
        if found[name].shape != expected[name].shape:
            raise ParityError(
                f"{where}: {name} has shape {found[name].shape}, the detector's has "
                f"{expected[name].shape}; nothing was published."
            )
    allowed = {
        "anomaly_map": TOLERANCE * scale,
        "anomaly_score": TOLERANCE * scale,
        "attention_map": TOLERANCE,
        **dict.fromkeys(_STATED_ALIKE, 0.0),
    }
    differences = {}
    for name, most in allowed.items():
        difference = np.abs(found[name].astype("float64") - expected[name])
        if difference.ndim > 1:
            difference = difference[valid]
        differences[name] = float(difference.max())
        if not differences[name] <= most:  # NaN is not
            raise ParityError(
                f"{where}: {name} differs from the detector's by {differences[name]:.3g}, and "
                f"{most:.3g} is allowed; nothing was published."
            )
    _compare_decisions(detector, expected, found, TOLERANCE * scale, where)
    return differences


def _compare_decisions(detector, expected, found, margin, where):
    score = expected["anomaly_score"].astype("float64")
    certain = np.abs(score - detector.threshold) > margin
    flipped = certain & (found["is_anomalous"] != expected["is_anomalous"])
    # What is not defective any more may need review.
    certain &= np.abs(score - detector.review_threshold) > margin
    other_review = certain & (found["needs_review"] != expected["needs_review"])
    known = detector.decision.stored_scores().astype("float64")
    least, most = (
        (1 + (known >= (score + shift)[:, None]).sum(axis=1)) / (len(known) + 1)
        for shift in (margin, -margin)
    )
    p_value = found["p_value"].astype("float64")
    off = ~((p_value >= least - 1e-6) & (p_value <= most + 1e-6))  # NaN is off, too
    checked = {"is_anomalous": flipped, "needs_review": other_review, "p_value": off}
    for name, wrong in checked.items():
        if wrong.any():
            raise ParityError(
                f"{where}: {name} is another than the detector's for {int(wrong.sum())} of "
                f"{len(score)} images, by more than rounding explains; nothing was published."
            )
