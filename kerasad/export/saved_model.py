"""From a detector to a version folder for TensorFlow Serving, and what `model_card.json` says."""

import math
import os
import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import tensorflow as tf

from kerasad.data.decoding import Decoding
from kerasad.detector.conformal import describe_rate
from kerasad.errors import InputError, check_at_least
from kerasad.export.parity import check_parity
from kerasad.export.publishing import draft_version
from kerasad.export.samples import EMBEDDED, batch_size_for, collect_samples
from kerasad.export.server_files import (
    check_warmup_possible,
    read_batch_sizes,
    write_server_files,
    write_warmup,
)
from kerasad.export.signatures import build_served
from kerasad.files import read_json, write_json
from kerasad.version import __version__

MODEL_CARD = "model_card.json"
FORMAT = 1
_MEANINGS = {
    "images": "RGB in [0, 1], exactly this height and width",
    "image_bytes": "one PNG, JPEG or plain BMP file each, of any size; base64 in JSON",
    "anomaly_map": "unbounded, about 0 on good images; a pixel is marked above pixel_threshold, "
    "and none outside the region of interest, if there is one",
    "anomaly_score": "unbounded; defective is strictly above threshold",
    "p_value": "in (0, 1]; share of calibration images and this image with at least "
    "this score; rounded to 6 digits, p_value <= a is the decision at the false-alarm rate a",
    "is_anomalous": "the decision: defective",
    "needs_review": "not defective, but to be reviewed; never true without a review band",
    "threshold": "of anomaly_score, the same for every image",
    "review_threshold": "of anomaly_score, the same for every image; an image that is not "
    "defective needs review strictly above it; without a review band, it equals threshold",
    "pixel_threshold": "of anomaly_map, the same for every image",
    "attention_map": "in [0, 1], high where the model looks; of a model without attention, "
    "anomaly_map on the colour scale, pixel_threshold at 0.5",
    "overlay_bytes": "a PNG file: the image under its map, on one colour scale for all images",
    "image_size": "height and width of the picture in the maps, at their top left; the rest is "
    "padding, where anomaly_map is never above pixel_threshold",
}


def export_saved_model(
    detector,
    directory: str | os.PathLike,
    *,
    files: Sequence[str | os.PathLike] = (),
    files_from: str = "files given",
    decoding: Decoding = Decoding(),
    warmup: bool = True,
    details: dict[str, Any] | None = None,
) -> Path:
    """Writes the next version of a model, provided that it answers as the detector does.

    The version has the signatures of `build_served`, warm-up requests and `model_card.json`. It
    is written under a name that TensorFlow Serving ignores, run in a fresh process, compared with
    the detector (`check_parity`) and only then renamed. `models.config` and `batching.config` are
    written next to the versions unless they exist.

    Args:
        detector: a calibrated `AnomalyDetector`.
        directory: str or path. The model's folder, such as `saved_models/bottle`; its name becomes
            the model's name.
        files: paths or `ImageRecord`s of images to compare on, preferably those of the calibration.
            Without any, parts of the embedded photographs (brick, grass, gravel) are used. They
            test the arithmetic as well, but their scores are not those of the data.
        files_from: str. What the files are, for the model card.
        decoding: Decoding, as in training; the served model refuses images above its
            `pixel_limit`, which must admit the detector's own size.
        warmup: bool. Write warm-up requests; needs the extra `serving`.
        details: dict or None. Entries for the model card: `data`, `metrics`, `data_licence`.

    Returns:
        path: Path of the version, `directory/<number>`.

    Raises:
        InputError: The detector is not calibrated, or each image has a region of interest of its
            own; `directory` cannot be used, a file cannot be read, or the extra is missing.
        ParityError: The exported model differs from the detector; nothing was published.
        OSError: The disk failed or is full; nothing was published.
    """
    detector.decision.require_calibration()
    if detector.roi == "each":
        raise InputError(
            "Each image of this detector has a region of interest of its own, which a served model "
            "is not sent: train with one mask for all images to export."
        )
    check_at_least("pixel_limit", decoding.pixel_limit, math.prod(detector.image_size))
    if warmup:
        check_warmup_possible()
    geometry = detector.geometry
    samples, counts = collect_samples(files, geometry, decoding)
    with draft_version(directory) as draft:
        name = draft.base.name
        module, signatures = build_served(detector, decoding)
        try:
            tf.saved_model.save(module, str(draft.folder), signatures=signatures)
        except tf.errors.OpError as error:  # a full disk, for one
            raise OSError(f"{draft.base} cannot be written: {error.message}") from error
        batch_sizes = None
        if warmup:
            batch_sizes = read_batch_sizes(draft.base, detector.image_size)
            write_warmup(draft.folder, name, detector.image_size, batch_sizes)
        parity = {"compared_on": files_from if files else EMBEDDED, "images": counts}
        parity |= check_parity(
            detector, draft.folder, samples, batch_size_for(geometry), draft.scratch
        )
        card = make_model_card(
            detector, name, signatures, decoding, parity, batch_sizes, details or {}
        )
        write_json(draft.folder / MODEL_CARD, card)
        # Before the version is there: whoever sees it can serve it.
        write_server_files(draft.base, detector.image_size, draft.scratch)
        return draft.publish()


def make_model_card(
    detector,
    name: str,
    signatures: dict,
    decoding: Decoding,
    parity: dict[str, Any],
    warmup_batch_sizes: list[int] | None,
    details: dict[str, Any],
) -> dict[str, Any]:
    """Returns the content of `model_card.json`.

    Args:
        detector: a calibrated `AnomalyDetector`.
        name: str. The model's name.
        signatures: dict of concrete functions.
        decoding: Decoding.
        parity: dict. What was compared, and the result.
        warmup_batch_sizes: list of int, or None without warm-up requests.
        details: dict. Entries from the caller: `data`, `metrics`, `data_licence`.
    """
    import keras
    import tensorflow as tf

    summary = detector.calibration_summary()
    return {
        "format": FORMAT,
        "name": name,
        "task": "anomaly localization in images, learned from good images alone",
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": {
            "kerasad": __version__,
            "keras": keras.__version__,
            "tensorflow": tf.__version__,
            "python": platform.python_version(),
        },
        "model": type(detector.model).__name__,
        "image_size": [int(side) for side in detector.image_size],
        "keep_aspect": bool(detector.keep_aspect),
        "region_of_interest": None if detector.region is None else detector.region.share,
        "tile_size": None if detector.tiles is None else [int(s) for s in detector.tiles.tile_size],
        "pixel_limit": decoding.pixel_limit,
        "max_value": decoding.max_value,
        "signatures": {key: _describe(function) for key, function in signatures.items()},
        "threshold": summary["threshold"],
        "review_threshold": summary["review_threshold"],
        "pixel_threshold": summary["pixel_threshold"],
        "false_alarm_rate": summary["false_alarm_rate"],
        "review_rate": summary["review_rate"],
        "rates_in_words": describe_rates(summary),
        "num_calibration_images": summary["num_images"],
        "calibration_note": summary["note"],
        "experts": summary["experts"],
        "parity": parity,
        "warmup_batch_sizes": warmup_batch_sizes,
        "data": None,
        "metrics": None,
        "data_licence": "not known",
        **details,
    }


def describe_parity(version: Path) -> str:
    """Returns a sentence on a version: what it was compared on, and the largest difference."""
    parity = read_json(version / MODEL_CARD)["parity"]
    counts = parity["images"]
    found = [
        signature["anomaly_map"]
        for execution in parity["largest_difference"].values()
        for signature in execution.values()
    ]
    return (
        f"Compared on {counts['files']} images ({parity['compared_on']}), the same with synthetic "
        f"defects and {counts['encodings']} odd encodings: the maps differ by at most "
        f"{max(found):.1e} (allowed: {parity['tolerance'] * parity['map_scale']:.1e})."
    )


def describe_rates(summary: dict[str, Any]) -> str:
    """Returns what is known of the rates of a calibration, in a sentence or two."""
    names = {"false_alarm_rate": "False-alarm rate", "review_rate": "Review rate"}
    return " ".join(
        f"{title}: {describe_rate(summary[name])}."
        for name, title in names.items()
        if summary[name] is not None
    )


def _describe(function):
    inputs = {spec.name: spec for spec in function.structured_input_signature[0]}
    outputs = function.structured_outputs
    return {"inputs": _tensors(inputs), "outputs": _tensors(outputs)}


def _tensors(tensors):
    # None is the batch.
    return {
        name: {
            "dtype": tensor.dtype.name,
            "shape": tensor.shape.as_list(),
            "meaning": _MEANINGS[name],
        }
        for name, tensor in sorted(tensors.items())
    }
