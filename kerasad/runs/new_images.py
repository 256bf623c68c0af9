"""Good images that a run has not seen, as its detector takes them."""

from kerasad.data.geometry import Geometry, whole_batch_size
from kerasad.data.loading import GoodImages, load_good_images
from kerasad.detector import AnomalyDetector
from kerasad.runs.run import Run
from kerasad.training.locations import resolve_data


def detector_geometry(detector: AnomalyDetector) -> Geometry:
    """The frame that the detector's images are brought to."""
    return Geometry(*detector.image_size, keep_aspect=detector.keep_aspect)


def load_new_images(run: Run, detector: AnomalyDetector, data: str) -> GoodImages:
    """Good images of a folder, at the detector's size and read as those of the run."""
    config = run.config.data
    return load_good_images(
        resolve_data(data),
        detector_geometry(detector),
        whole_batch_size(config.batch_size, detector.image_size, detector.model.image_shape),
        on_bad=config.on_bad,
        max_value=config.max_value,
        pixel_limit=config.pixel_limit,
    )
