"""False alarms of the drift check, and which changes of good images it detects.

    python benchmarks/drift.py RUN --data mvtec/bottle

The pool holds all good images that neither trained the run nor set its scales: its calibration
images and the good test images. Many times, the pool is split at random into a calibration set and
new images, and both are compared by `kerasad.detector.drift.compare_images`; then again with the
new images darkened, blurred or moved. Of unchanged images, at most the share given by the level
should be called drift.
"""

import argparse

import numpy as np
from results import markdown_table

from kerasad.data.geometry import unpack_inputs
from kerasad.data.loading import load_good_images
from kerasad.detector.drift import compare_images
from kerasad.runs.run import open_run
from kerasad.training.locations import resolve_data

HEADER = ("change", "new images", "drift", "by scores", "by features")


def main():
    arguments = parse_arguments()
    run = open_run(arguments.run)
    detector = run.load_detector()
    images, valid = read_pool(run, detector, arguments.data)
    pools = {
        name: measure(detector, change(images), valid) for name, change in changes(images).items()
    }
    rows = []
    for count in sorted({*arguments.counts, len(images) // 2}):
        for name, changed in pools.items():
            rates = find_rates(pools["none"], changed, count, arguments)
            rows.append((name, str(count), *(f"{rate:.3f}" for rate in rates)))
    print(f"{len(images)} good images, level {arguments.level}, {arguments.repeats} random splits")
    print(markdown_table(HEADER, rows))


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", help="folder that `kerasad train` wrote")
    parser.add_argument("--data", help="its category; defaults to what it was trained on")
    parser.add_argument("--counts", type=int, nargs="+", default=[10, 20], help="of new images")
    parser.add_argument("--repeats", type=int, default=200)
    parser.add_argument("--level", type=float, default=0.05)
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


def changes(images):
    """Returns functions of images by what they change; pixels are those of the detector."""
    from scipy import ndimage

    shift = max(1, round(0.03 * images.shape[2]))
    return {
        "none": lambda images: images,
        "0.5 % darker": lambda images: 0.995 * images,
        "10 % darker": lambda images: 0.9 * images,
        "blur, sigma 0.5": lambda images: ndimage.gaussian_filter(images, (0, 0.5, 0.5, 0)),
        "blur, sigma 1": lambda images: ndimage.gaussian_filter(images, (0, 1, 1, 0)),
        f"moved by {shift} px": lambda images: ndimage.shift(
            images, (0, 0, shift, 0), order=0, mode="nearest"
        ),
    }


def read_pool(run, detector, data):
    """Returns the pool's images, and where they are not padding, or None."""
    seen = detector.provenance.hashes("train", "validation", "labelled")
    config = run.config.data
    data = resolve_data(data or config.path)
    folders = [path for path in (data / "train" / "good", data / "test" / "good") if path.is_dir()]
    geometry = detector.geometry
    found = load_good_images(folders or data, geometry, decoding=config.decoding)
    inputs = [unpack_inputs(batch) for batch in found.dataset]
    images, valid = (
        None if parts[0] is None else np.concatenate(parts) for parts in zip(*inputs, strict=True)
    )
    unseen = [record.content_hash not in seen for record in found.records]
    return images[unseen], None if valid is None else valid[unseen]


def measure(detector, images, valid):
    """Returns scores and descriptors of images."""
    images = images.astype("float32")
    inputs = images if valid is None else {"images": images, "valid": valid}
    scores = detector.predict(inputs, batch_size=16, verbose=0)["anomaly_score"]
    parts = range(0, len(images), 16)
    descriptors = [
        detector.expert_maps.describe(
            images[i : i + 16], None if valid is None else valid[i : i + 16]
        )
        for i in parts
    ]
    return scores, detector.descriptors.choose(np.concatenate(descriptors))


def find_rates(pool, changed, count, arguments):
    """Returns how often there is drift, by either test and by each, over random splits."""
    generator = np.random.default_rng(arguments.seed)
    found = []
    for _ in range(arguments.repeats):
        order = generator.permutation(len(pool[0]))
        new, known = order[:count], order[count:]
        result = compare_images(
            pool[0][known], changed[0][new], pool[1][known], changed[1][new], arguments.level, 999
        )
        by_test = [
            result[test]["adjusted_p_value"] <= arguments.level for test in ("scores", "features")
        ]
        found.append([result["drift"], *by_test])
    return np.mean(found, axis=0)


if __name__ == "__main__":
    main()
