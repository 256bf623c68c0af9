"""Good images that a run has not seen, brought to the size of its detector."""

from collections.abc import Sequence

from kerasad.data.geometry import whole_batch_size
from kerasad.data.loading import GoodImages, load_good_images
from kerasad.data.split import refuse_overlap
from kerasad.detector import AnomalyDetector
from kerasad.runs.run import SPLIT, Run
from kerasad.training.locations import resolve_data


def load_new_images(
    run: Run, detector: AnomalyDetector, data: str, unseen: Sequence[str], reason: str
) -> GoodImages:
    """Loads good images as those of the run were loaded.

    Args:
        run: Run.
        detector: AnomalyDetector. The detector of the run.
        data: str. The images.
        unseen: names of parts of `split.json`, none of whose images may be among them.
        reason: str. Why not; a part of the error message.

    Raises:
        InputError: There is no image, or the run has seen one.
    """
    config = run.config.data
    good = load_good_images(
        resolve_data(data),
        detector.geometry,
        whole_batch_size(config.batch_size, detector.image_size, detector.model.image_shape),
        on_bad=config.on_bad,
        decoding=config.decoding,
    )
    refuse_overlap(good.records, run.part(SPLIT), unseen, reason)
    return good
