"""The verb `export`: the next version of a model for TensorFlow Serving."""

import dataclasses
import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path

from kerasad.data import read_category, read_images
from kerasad.data.image_files import ImageRecord
from kerasad.data.provenance import Provenance
from kerasad.data.split import DEFECTIVE, PARTS
from kerasad.errors import InputError
from kerasad.export import export_saved_model
from kerasad.export.sendable import count_unsendable
from kerasad.runs.run import Run, check_provenance
from kerasad.training.config import DataConfig
from kerasad.training.locations import resolve_data, with_data


def export_run(
    run: Run,
    output: str | Path,
    data: str | None = None,
    warmup: bool = True,
    data_licence: str = "not known",
    pixel_limit: int | None = None,
) -> Path:
    """Writes the detector of a run as the next version of a model, see `export_saved_model`.

    Args:
        run: Run.
        output: str or Path. The folder of the model, such as `saved_models/NAME`.
        data: str or None. Images to compare the export and the detector on; None takes the
            calibration images of the run, or its training images, or embedded photographs.
        warmup: bool. Write warm-up requests.
        data_licence: str. Licence of the training images, for the model card.
        pixel_limit: int or None. The served model refuses files with more pixels; None is what
            the run recorded: four times its largest file, at least 4 megapixels.

    Returns:
        The folder of the version.
    """
    reading, detector, metrics = run.read_together(
        lambda: (run.config.data, run.load_detector(), run.metrics)
    )
    limit = pixel_limit or reading.served_pixel_limit or reading.pixel_limit
    decoding = dataclasses.replace(reading.decoding, pixel_limit=limit)
    provenance = check_provenance(run, detector.provenance)
    files, files_from = comparison_images(reading, data, provenance)
    hashes = {part: provenance.hashes(part) for part in (*PARTS, *DEFECTIVE)}
    current = detector.decision.calibration_id
    if metrics is not None and metrics.get("calibration_id") != current:
        metrics = {"notes": {"threshold": "evaluated before the last calibration: left out"}}
    elif metrics is not None:
        metrics = {name: value for name, value in metrics.items() if name != "data"}  # a path
    return export_saved_model(
        detector,
        output,
        files=files,
        files_from=files_from,
        decoding=decoding,
        warmup=warmup,
        details={
            "data": {
                "name": Path(reading.path).name,
                "num_images": {part: len(known) for part, known in hashes.items()},
                "sha256": {part: _digest(known) for part, known in hashes.items()},
                "cannot_be_sent": count_own_unsendable(reading, hashes),
            },
            "metrics": metrics,
            "data_licence": data_licence,
        },
    )


def count_own_unsendable(reading: DataConfig, hashes: dict[str, dict[str, str]]) -> dict[str, int]:
    """Returns how many of the run's own photos, of which kind, the served model cannot read."""
    folder = resolve_data(reading.path)
    names = [name for known in hashes.values() for name in known.values()]
    return count_unsendable(folder / name for name in names)


def comparison_images(
    reading: DataConfig, data: str | None, provenance: Provenance
) -> tuple[Sequence[ImageRecord], str]:
    """Returns images to compare an export on, and what they are; none if the folder is gone."""
    if data is not None:
        records, problems = read_images(resolve_data(data), decoding=reading.decoding)
        if not records:
            reason = problems[0].message if problems else "There is none."
            raise InputError(f"{data} has no usable image to compare on. {reason}")
        return records, f"images of {Path(data).name}"
    try:
        good = read_category(resolve_data(reading.path), **with_data(reading).reading).good
    except InputError:
        return (), ""
    for parts in (("calibration",), ("train", "validation")):
        known = provenance.hashes(*parts)
        records = [record for record in good if record.content_hash in known]
        if records:
            return records, f"{' and '.join(parts)} images of the run"
    return (), ""


def _digest(hashes: Iterable[str]) -> str:
    """Returns one hash of the hashes of all files, the same in any order."""
    return hashlib.sha256("\n".join(sorted(hashes)).encode()).hexdigest()
