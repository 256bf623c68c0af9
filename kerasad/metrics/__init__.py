"""Keras metrics for anomaly maps and scores, in constant memory."""

from kerasad.metrics.histogram_metrics import (
    AUPRO,
    ImageAUROC,
    ImageF1Max,
    OracleIoU,
    PixelAUROC,
    PixelF1Max,
)
from kerasad.metrics.summaries import ImageMetrics, PixelMetrics
from kerasad.metrics.threshold_metrics import (
    BalancedAccuracy,
    DetectionRate,
    PerImageIoU,
    PooledIoU,
)

__all__ = [
    "AUPRO",
    "BalancedAccuracy",
    "DetectionRate",
    "ImageAUROC",
    "ImageF1Max",
    "ImageMetrics",
    "OracleIoU",
    "PerImageIoU",
    "PixelAUROC",
    "PixelF1Max",
    "PixelMetrics",
    "PooledIoU",
]
