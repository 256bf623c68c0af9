"""From a trained model to a calibrated detector."""

import keras

from kerasad.data.category import Category
from kerasad.detector import AnomalyDetector
from kerasad.training.config import RunConfig


def make_detector(
    model: keras.Model, category: Category, config: RunConfig, verbose: int = 1
) -> AnomalyDetector:
    """The calibrated detector of a trained model."""
    settings = config.training
    detector = AnomalyDetector(
        model,
        image_size=category.full_shape[:2],
        overlap=config.data.overlap,
        keep_aspect=category.keep_aspect,
    )
    on_crops = category.split.calibration_on_crops
    detector.adapt(
        category.train_for_experts,
        category.validation,
        on_crops=on_crops,
        num_defects=settings.synthetic_defects,
        seed=settings.seed,
        verbose=verbose,
    )
    detector.calibrate(
        category.calibration,
        false_alarm_rate=settings.false_alarm_rate,
        review_rate=settings.review_rate,
        strict=settings.strict,
        on_crops=on_crops,
        verbose=verbose,
    )
    return detector
