"""From a detector to a version folder that TensorFlow Serving can load."""

import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import tensorflow as tf

from kerasad.data.decoding import Decoding
from kerasad.errors import InputError, check_at_least
from kerasad.export.model_card import MODEL_CARD, make_model_card
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
from kerasad.files import write_json


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
    written beside the versions unless they exist.

    Args:
        detector: a calibrated `AnomalyDetector`.
        directory: str or path. The model's folder, such as `saved_models/bottle`; its name becomes
            the model's name.
        files: paths or `ImageRecord`s of images to compare on, best those of the calibration.
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
        InputError: The detector is not calibrated, `directory` cannot be used, a file cannot be
            read, or the extra is missing.
        ParityError: The exported model differs from the detector; nothing was published.
        OSError: The disk failed or is full; nothing was published.
    """
    if not (math.isfinite(detector.threshold) and math.isfinite(detector.pixel_threshold)):
        raise InputError(
            f"`detector` has threshold {detector.threshold} and pixel_threshold "
            f"{detector.pixel_threshold}; call its `calibrate` before exporting it."
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
        write_server_files(draft.base, detector.image_size)
        return draft.publish()
