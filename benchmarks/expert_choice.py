"""Which experts should make the score of an image, and which the map, of trained detectors.

    python benchmarks/expert_choice.py RUN... [--maps]

For each RUN of `kerasad train --model feature_vae_gan` the maps of all experts are made once of its
test images. Then the score, or with `--maps` the map, is made of some of them, weighted equally.
One letter stands for an expert: G the Gaussian of all channels, M the memory, F the Gaussians of
the finer taps, R the angle to the restored features, C the critic, A its AdaCos classes.
"""

import argparse
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

LETTERS = {
    "patch_gaussian": "G",
    "feature_memory": "M",
    "feature_residual": "R",
    "critic": "C",
    "defect_logit": "A",
}
OTHERS = "F"
SCORES = ("G", "R", "C", "A", "GR", "GC", "GA", "GRC", "GRA", "GRCA", "GMFRCA")
MAPS = ("G", "M", "R", "C", "A", "GMF", "GMFR", "GMFC", "GMFA", "GMFRC", "GMFRA", "GMFRCA", "GRCA")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", nargs="+", metavar="RUN")
    parser.add_argument("--maps", action="store_true", help="compare maps instead of scores")
    arguments = parser.parse_args()
    choices = MAPS if arguments.maps else SCORES
    print("| run |", " | ".join(choices), "|")
    print("|" + "---|" * (len(choices) + 1))
    for path in arguments.runs:
        values = measure(path, choices, of_maps=arguments.maps)
        print(f"| {path} |", " | ".join(values), "|", flush=True)


def measure(path, choices, of_maps):
    """Returns for each choice image AUROC, or pixel AUROC and AUPRO, as text."""
    from kerasad.runs.evaluate import evaluated_data, open_test_data
    from kerasad.runs.run import open_run
    from kerasad.tracing import compiled_for_batches

    run = open_run(path)
    detector = run.load_detector()
    test = open_test_data(run, detector, evaluated_data(run)).test
    batches = [(*read(detector, inputs), targets) for inputs, targets in test]
    # The calibration is an argument of `combine`, the weights are variables.
    combine = compiled_for_batches(
        lambda maps, valid: detector.combine(detector.map_calibration, maps, valid)
    )
    rate = rate_maps if of_maps else rate_scores
    weights = detector.fusion_weights if of_maps else detector.score_weights
    letters = [LETTERS.get(expert.name, OTHERS) for expert in detector.experts]
    found = []
    for choice in choices:
        chosen = np.asarray([letter in choice for letter in letters], "float32")
        weights.assign(chosen / chosen.sum())
        found.append(rate(batches, combine))
    return found


def read(detector, inputs):
    """Returns the maps of the experts, and which pixels are real or None."""
    images, valid = detector.prepare(inputs)
    return np.asarray(detector.expert_maps.compute(images, valid)), valid


def rate_scores(batches, combine):
    from kerasad.metrics import ImageAUROC

    metric = ImageAUROC()
    for maps, valid, targets in batches:
        metric.update_state(targets["label"], combine(maps, valid)[1])
    return f"{float(metric.result()):.3f}"


def rate_maps(batches, combine):
    from kerasad.metrics import AUPRO, PixelAUROC

    metrics = PixelAUROC(), AUPRO()
    for maps, valid, targets in batches:
        shown = np.asarray(targets["has_mask"])
        if shown.any():
            maps = np.asarray(combine(maps, valid)[0])[shown]
            counted = None if valid is None else np.asarray(valid)[shown]
            for metric in metrics:
                metric.update_state(np.asarray(targets["mask"])[shown], maps, sample_weight=counted)
    return " / ".join(f"{float(metric.result()):.3f}" for metric in metrics)


if __name__ == "__main__":
    main()
