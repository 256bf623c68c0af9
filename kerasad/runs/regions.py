"""Which regions of interest the images have that a finished run is given."""

from collections.abc import Sequence

from kerasad.data.image_files import ImageRecord
from kerasad.data.region_files import RegionFiles
from kerasad.detector import AnomalyDetector
from kerasad.errors import InputError
from kerasad.runs.run import Run
from kerasad.training.config import DataConfig


def named_regions(run: Run, detector: AnomalyDetector, data: DataConfig) -> str | None:
    """Returns the folder of the regions of images; None if the detector needs none.

    A detector with one region for all images holds it, so that no file is read.

    Args:
        run: Run.
        detector: AnomalyDetector of the run.
        data: DataConfig. The images, see `with_data`.

    Raises:
        InputError: A folder is missing, or named where it has no use.
    """
    if detector.roi == "each":
        if data.roi is None:
            raise InputError(
                f"Each image of {run.path} has a region of interest of its own: name the folder "
                "of these with `roi`."
            )
        return data.roi
    if data.roi not in (None, run.config.data.roi):
        has = "has one region of interest for all images" if detector.roi else "has none"
        raise InputError(
            f"{run.path} {has}, so `roi` cannot name others: leave it out, or train again with it."
        )
    return None


def open_regions(
    run: Run, detector: AnomalyDetector, data: DataConfig, records: Sequence[ImageRecord]
) -> RegionFiles | None:
    """Returns the regions of images, checked; None if the detector needs none.

    Args:
        run, detector, data: as in `named_regions`.
        records: the images.

    Raises:
        InputError: As `named_regions`; or an image has no region, or one that does not fit.
    """
    folder = named_regions(run, detector, data)
    if folder is None:
        return None
    regions = RegionFiles(folder, data.decoding)
    regions.check(records, detector.geometry)
    return regions
