"""Good images that a finished run is given, read as its own images were."""

from collections.abc import Callable, Container, Sequence

from kerasad.data.geometry import whole_batch_size
from kerasad.data.loading import GoodImages, load_good_images
from kerasad.data.tables import format_good_table
from kerasad.detector import AnomalyDetector
from kerasad.runs.regions import named_regions
from kerasad.runs.run import Run, check_provenance
from kerasad.training.config import DataConfig
from kerasad.training.locations import resolve_data
from kerasad.training.near_copies import copy_finder


def load_new_images(
    run: Run, detector: AnomalyDetector, config: DataConfig, known: Container[str] = ()
) -> GoodImages:
    """Loads good images as those of a run were loaded.

    Args:
        run: Run.
        detector: AnomalyDetector. The detector of the run.
        config: DataConfig. The images, and how those of the run are read.
        known: content hashes of images to leave out.

    Raises:
        InputError: There is no image, or none that is not known.
    """
    return load_good_images(
        resolve_data(config.path),
        detector.geometry,
        whole_batch_size(config.batch_size, detector.image_size, detector.model.image_shape),
        group_by=config.group_by,
        find_copies=copy_finder(config),
        known=known,
        roi=named_regions(run, detector, config),
        **config.reading,
    )


def load_unseen_images(
    run: Run,
    detector: AnomalyDetector,
    config: DataConfig,
    unseen: Sequence[str],
    reason: str,
    echo: Callable[[str], None] | None = None,
) -> GoodImages:
    """Loads good images, and refuses those that the run has seen.

    Args:
        run: Run.
        detector: AnomalyDetector. The detector of the run.
        config: DataConfig. The images, and how those of the run are read.
        unseen: names of parts of the run's images, none of which may be among them.
        reason: str. Why not; a part of the error message.
        echo: function of a line of text, or None. It is given a table of the images.

    Raises:
        InputError: There is no image, or the run has seen one.
    """
    good = load_new_images(run, detector, config)
    if echo is not None and good.index is not None:
        echo(format_good_table(good.index, len(good.records)))
    check_provenance(run, detector.provenance).refuse_overlap(good.records, unseen, reason)
    return good
