"""Measures what a region of interest changes: the same data with a mask of its object and without.

    python benchmarks/region.py DATA [--mask MASK] [--output FOLDER]

Without `--mask`, one is made of the good training images and written to FOLDER/region.png: where
their mean is darker than half way from its darkest to its brightest pixel, the largest such part,
its holes filled. On a bright background that is the object. `feature_statistics` trains twice, and
both runs are measured on the test images. With a region, pixels outside are left out of the
metrics. The row in between is the run without a region, measured on the pixels inside alone: it
and the last row compare.
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image
from results import markdown_table

COLUMNS = ("image_auroc", "pixel_auroc", "aupro", "iou_pooled", "balanced_accuracy")
COUNTS = ("false-alarm rate", "good", "defective", "defects outside")


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data")
    parser.add_argument("--mask")
    parser.add_argument("--output", default="runs/region")
    arguments = parser.parse_args()

    from kerasad.data import read_category

    folder = Path(arguments.output)
    folder.mkdir(parents=True, exist_ok=True)
    mask = arguments.mask
    if mask is None:
        mask = folder / "region.png"
        inside = find_object(read_category(arguments.data).good)
        Image.fromarray(inside.astype("uint8") * 255).save(mask)
        print(f"{mask}: {inside.mean():.1%} of the pixels are inside")
    rows = [
        ("without", *measure(arguments.data, None)),
        ("without, measured inside", *measure(arguments.data, None, inside_of=str(mask))),
        ("with", *measure(arguments.data, str(mask))),
    ]
    print(markdown_table(("region", *COLUMNS, *COUNTS), rows))


def find_object(records):
    """Returns where the mean of images is dark, bool (height, width)."""
    from scipy import ndimage

    total = sum(np.asarray(Image.open(record.path).convert("L"), "float64") for record in records)
    dark = total < 0.5 * (total.min() + total.max())
    parts, _ = ndimage.label(dark)
    sizes = np.bincount(parts.ravel())
    sizes[0] = 0
    return ndimage.binary_fill_holes(parts == sizes.argmax())


def measure(data, roi, inside_of=None):
    """Returns the metrics of a run with a mask or without; of pixels inside a mask if asked."""
    from kerasad.evaluation import evaluate
    from kerasad.runs.evaluate import open_test_data
    from kerasad.runs.train import train_run
    from kerasad.training.config import DataConfig, RunConfig

    with tempfile.TemporaryDirectory() as folder:
        config = RunConfig(DataConfig(data, roi=roi))
        run = train_run(config, Path(folder) / "run", echo=lambda _: None, verbose=0)
        detector = run.load_detector()
        category = open_test_data(run, detector, run.config.data)
        measured = detector if inside_of is None else MeasuredInside(detector, inside_of)
        metrics = evaluate(measured, category.test, records=category.index.test, verbose=0)
    numbers = [metrics[name] for name in COLUMNS]
    good, defective = metrics["num_good_images"], metrics["num_defective_images"]
    outside = len(metrics["defects_outside_roi"])
    return [*numbers, metrics["false_alarm_rate"]["observed"], good, defective, outside]


class MeasuredInside:
    """A detector without a region, of whose maps only a part is measured.

    Args:
        detector: calibrated `AnomalyDetector`.
        mask: path of the region.
    """

    def __init__(self, detector, mask):
        from kerasad.data.region_files import RegionFiles
        from kerasad.detector.region import RegionOfInterest

        self._detector = detector
        self.region = RegionOfInterest(detector.image_size, RegionFiles(mask).shared)
        self.threshold, self.pixel_threshold = detector.threshold, detector.pixel_threshold
        self.image_size = detector.image_size
        self.predict_stream = detector.predict_stream
        self.calibration_summary = detector.calibration_summary

    def prepare(self, inputs):
        """Returns images and the pixels that are measured."""
        return self.region(*self._detector.prepare(inputs))


if __name__ == "__main__":
    main()
