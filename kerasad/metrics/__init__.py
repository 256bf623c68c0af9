"""Keras metrics for anomaly maps and scores, in constant memory."""

from kerasad.metrics.aupro import AUPRO
from kerasad.metrics.balanced_accuracy import BalancedAccuracy
from kerasad.metrics.f1_max import ImageF1Max, PixelF1Max
from kerasad.metrics.image_auroc import ImageAUROC
from kerasad.metrics.iou import OracleIoU, PerImageIoU, PooledIoU
from kerasad.metrics.pixel_auroc import PixelAUROC
from kerasad.metrics.summaries import ImageMetrics, PixelMetrics

__all__ = [
    "AUPRO",
    "BalancedAccuracy",
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
