"""The gate before publication: the SavedModel must answer as the detector does."""

import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from kerasad.data.geometry import pack_inputs
from kerasad.errors import FailedError
from kerasad.export import execution
from kerasad.export.samples import Sample
from kerasad.export.signatures import OUTPUTS, SERVING_BYTES, SERVING_DEFAULT
from kerasad.overlay import ColourScale

TOLERANCE = 1e-4
"""Largest difference allowed, as a share of the scale of what is compared."""
EAGER_TOLERANCE = 1e-3
"""The same in comparison with eager mode, whose kernels add in another order.

Statistics of few images magnify that rounding: 1.2e-4 was seen. A kernel that computes another
function, which this comparison is for, changes maps by far more.
"""

_EQUAL = ("threshold", "review_threshold", "pixel_threshold")


class ParityError(FailedError):
    """The SavedModel does not run, or does not answer as the detector does."""


def map_scale(detector) -> float:
    """Returns the scale of maps and scores: the range of the colour scale.

    It is at least 1, the spread of good pixels in the map.
    """
    scale = ColourScale(detector.pixel_threshold)
    return max(scale.high - scale.low, 1.0)


def check_parity(
    detector,
    folder: Path,
    samples: Sequence[Sample],
    batch_size: int,
    scratch: Path,
    run: Callable[[Path, Path], None] | None = None,
) -> dict:
    """Compares what a SavedModel computes with what the detector computes.

    Both signatures are run in a TensorFlow session, as TensorFlow Serving does, and after
    `tf.saved_model.load`. They are compared with the detector's own graph, and on the first sample
    also with the detector run operation by operation, because two graphs share the faults of the
    graph optimizer. Maps and scores may differ by 1e-4 of `map_scale`, the attention map (which is
    in [0, 1]) by 1e-4, from eager mode by 1e-3; the thresholds must be equal. A decision or a
    p-value may differ only where the score is that near to the threshold, or to a calibration
    score. Padding is not compared, nor is the overlay, which is drawn from these outputs.

    Args:
        detector: a calibrated `AnomalyDetector`.
        folder: Path of the SavedModel.
        samples: `Sample`s, at least one.
        batch_size: int.
        scratch: Path of a folder for intermediate files.
        run: function of `folder` and `scratch` that runs what lies there, as `execution.main`;
            None is that, in a fresh process without kerasad.

    Returns:
        dict, ready for JSON: `tolerance`, `map_scale`, and `largest_difference` by execution,
        signature and output.

    Raises:
        ParityError: An output differs, or the process failed.
    """
    batches = [samples[i : i + batch_size] for i in range(0, len(samples), batch_size)]
    for number, batch in enumerate(batches):
        images = np.stack([sample.image for sample in batch])
        files = execution.pack_files([sample.data for sample in batch])
        np.savez(scratch / f"{number:04d}{execution.INPUTS}", images=images, **files)
    (run or run_in_fresh_process)(folder, scratch)
    scale = map_scale(detector)
    largest: dict[str, dict[str, dict[str, float]]] = {}
    eager = _expected(detector.call_eagerly, samples[:1])
    for number, batch in enumerate(batches):
        for signature, (expected, valid) in _expected(detector.predict_on_batch, batch).items():
            for name in execution.EXECUTIONS:
                with np.load(scratch / f"{number:04d}.{name}.{signature}.npz") as arrays:
                    found = {output: arrays[output] for output in OUTPUTS}
                where = f"{signature} ({name})"
                differences = compare_outputs(detector, expected, found, valid, scale, where)
                if number == 0:
                    of_first = (
                        eager[signature][0],
                        {key: found[key][:1] for key in found},
                        valid[:1],
                    )
                    where = f"{where}, compared with eager mode"
                    compare_outputs(detector, *of_first, scale, where, EAGER_TOLERANCE)
                seen = largest.setdefault(name, {}).setdefault(signature, {})
                for output, difference in differences.items():
                    seen[output] = max(seen.get(output, 0.0), difference)
    return {"tolerance": TOLERANCE, "map_scale": scale, "largest_difference": largest}


def run_in_fresh_process(folder: Path, scratch: Path) -> None:
    """Runs `execution.main` in a process that never imports kerasad.

    Raises:
        ParityError: The process failed.
    """
    # By its path, with -P, which keeps the folder of that path out of `sys.path`.
    command = [sys.executable, "-P", execution.__file__, os.fspath(folder), os.fspath(scratch)]
    environment = {"TF_CPP_MIN_LOG_LEVEL": "3", **os.environ}
    result = subprocess.run(command, env=environment, capture_output=True, text=True)
    if result.returncode:
        # After its message, TensorFlow prints indented lines: where in the graph it arose.
        lines = [line for line in result.stderr.splitlines() if line.strip() and line[0] > " "]
        reason = lines[-1] if lines else f"exit code {result.returncode}"
        raise ParityError(f"The exported model could not be run, nothing was published: {reason}")


def _expected(predict, batch):
    """Returns, for each signature, what a detector answers and the pixels to compare."""
    images = np.stack([sample.image for sample in batch])
    everywhere = np.ones((*images.shape[:3], 1), bool)
    outputs = predict(images)
    if batch[0].valid is None:
        return {name: (outputs, everywhere) for name in (SERVING_DEFAULT, SERVING_BYTES)}
    valid = np.stack([sample.valid for sample in batch])
    padded = predict(pack_inputs(images, valid))
    return {SERVING_DEFAULT: (outputs, everywhere), SERVING_BYTES: (padded, valid > 0.5)}


def compare_outputs(
    detector,
    expected: Mapping,
    found: Mapping,
    valid: np.ndarray,
    scale: float,
    where: str,
    tolerance: float = TOLERANCE,
) -> dict[str, float]:
    """Returns the largest difference of each output.

    Args:
        detector: a calibrated `AnomalyDetector`.
        expected: arrays by the names in `OUTPUTS`.
        found: likewise.
        valid: bool array of the shape of the maps: the pixels to compare.
        scale: float. `map_scale` of the detector.
        where: str. Begins the message of an error.
        tolerance: float. Largest difference allowed, as a share of the scale.

    Raises:
        ParityError: A difference is too large.
    """
    for name in OUTPUTS:
        if found[name].shape != expected[name].shape:
            raise ParityError(
                f"{where}: {name} has shape {found[name].shape}, the detector's has "
                f"{expected[name].shape}; nothing was published."
            )
    allowed = {
        "anomaly_map": tolerance * scale,
        "anomaly_score": tolerance * scale,
        "attention_map": tolerance,
        **dict.fromkeys(_EQUAL, 0.0),
    }
    differences = {}
    for name, most in allowed.items():
        difference = np.abs(found[name].astype("float64") - expected[name])
        if difference.ndim > 1:
            difference = difference[valid]
        differences[name] = float(difference.max())
        if not differences[name] <= most:  # true for NaN
            raise ParityError(
                f"{where}: {name} differs from the detector's by {differences[name]:.3g}, and "
                f"{most:.3g} is allowed; nothing was published."
            )
    _compare_decisions(detector, expected, found, tolerance * scale, where)
    return differences


def _compare_decisions(detector, expected, found, margin, where):
    score = expected["anomaly_score"].astype("float64")
    certain = np.abs(score - detector.threshold) > margin
    flipped = certain & (found["is_anomalous"] != expected["is_anomalous"])
    # An image that is no longer defective may need review.
    certain &= np.abs(score - detector.review_threshold) > margin
    other_review = certain & (found["needs_review"] != expected["needs_review"])
    known = detector.decision.stored_scores().astype("float64")
    least, most = (
        (1 + (known >= (score + shift)[:, None]).sum(axis=1)) / (len(known) + 1)
        for shift in (margin, -margin)
    )
    p_value = found["p_value"].astype("float64")
    off = ~((p_value >= least - 1e-6) & (p_value <= most + 1e-6))  # true for NaN
    checked = {"is_anomalous": flipped, "needs_review": other_review, "p_value": off}
    for name, wrong in checked.items():
        if wrong.any():
            raise ParityError(
                f"{where}: {name} differs from the detector's for {int(wrong.sum())} of "
                f"{len(score)} images by more than rounding explains; nothing was published."
            )
