"""Whether synthetic defects say of models and experts what real defects say.

    python benchmarks/objective.py mvtec/grid cookie glassfiber mvtec/bottle

Trains `feature_vae_gan` as a trial of `kerasad tune` does, and writes the objective of the trained
and of the untrained model. Then each expert alone, also those that are off by default, is measured
on the synthetic defects of the objective and on the test images. The tables give the rank
correlation (Spearman's) of both over the experts. Nothing is chosen by the test images. Rows are
appended to the output file; a category that it already holds is not measured again.
"""

import argparse
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
from results import append_row, find_row, markdown_table, read_rows

PAIRS = (
    ("pixel_objective", "pixel_auroc"),
    ("pixel_objective", "aupro"),
    ("image_objective", "image_auroc"),
)
"""What of synthetic defects stands for what of real ones."""


def main():
    arguments = parse_arguments()
    for data in arguments.data:
        key = {"data": data, "image_size": arguments.image_size, "seed": arguments.seed}
        if find_row(read_rows(arguments.output), {**key, "expert": None}) is None:
            for row in measure(data, arguments):
                print(append_row(arguments.output, {**key, **row}), flush=True)
    rows = read_rows(arguments.output)
    print(markdown_table(("data", "seed", "untrained", "trained"), list(model_rows(rows))))
    print(markdown_table(("data", "seed", "experts", *map(title, PAIRS)), list(expert_rows(rows))))


def parse_arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", nargs="+", help="categories, below shared/data or as paths")
    parser.add_argument("--image-size", default="256")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", default="objective.jsonl", help="JSON lines to append to")
    return parser.parse_args()


def measure(data, arguments):
    """Yields a row of each expert and, last, one of the model."""
    import keras_tuner

    from kerasad.training.building import open_category
    from kerasad.training.config import DataConfig, ModelConfig, RunConfig, TrainingConfig
    from kerasad.tuning.hypermodel import DetectorHyperModel
    from kerasad.tuning.objective import OBJECTIVE

    config = RunConfig(
        DataConfig(data, arguments.image_size),
        ModelConfig("feature_vae_gan"),
        TrainingConfig(seed=arguments.seed),
    )
    category = open_category(config, crosswise=False)
    hypermodel = DetectorHyperModel(category, config.model, config.training, crosswise=True)
    parameters = keras_tuner.HyperParameters()
    found = {}
    # A training that begins behind its last epoch is none.
    for name, begin in (("untrained", {"epochs": 1, "initial_epoch": 1}), ("trained", {})):
        model = hypermodel.build(parameters)
        found[name] = hypermodel.fit(parameters, model, **begin)[OBJECTIVE.name]
    yield from measure_experts(model, category, arguments.seed)
    yield {"expert": None, **found}


def measure_experts(model, category, seed):
    """Yields what synthetic and real defects say of each expert alone."""
    from kerasad import AnomalyDetector
    from kerasad.detector.adaptation import draw_fusion_samples
    from kerasad.detector.expert_maps import tensor_shapes
    from kerasad.detector.experts import default_experts, model_experts
    from kerasad.detector.fusion import image_objective, pixel_objective
    from kerasad.tracing import compiled_for_batches

    shapes = tensor_shapes(model)
    experts = default_experts(shapes)
    names = [expert.name for expert in experts]
    experts += [expert for expert in model_experts(shapes) if expert.name not in names]
    detector = AnomalyDetector(model, experts, image_size=category.full_shape[:2])
    detector.expert_maps.fit(category.train_for_experts)
    detector.map_calibration.measure(detector.iterate_maps(category.validation))
    (sample,) = draw_fusion_samples(
        detector, category.validation, [detector.map_calibration], seed=seed
    )
    batches = []
    for inputs, targets in category.test:
        images, valid = detector.prepare(inputs)
        batches.append((detector.expert_maps.compute(images, valid), valid, targets))
    combine = compiled_for_batches(
        lambda maps, valid: detector.combine(detector.map_calibration, maps, valid)
    )
    for alone, expert in zip(np.eye(len(experts), dtype="float32"), experts, strict=True):
        detector.fusion_weights.assign(alone)
        detector.score_weights.assign(alone)
        synthetic = {
            "pixel_objective": float(pixel_objective(sample, alone)),
            "image_objective": float(image_objective(sample, alone)),
        }
        yield {"expert": expert.name, **synthetic, **measure_real(batches, combine)}


def measure_real(batches, combine):
    """Returns image AUROC, pixel AUROC and AUPRO on the test images."""
    from kerasad.metrics import AUPRO, ImageAUROC, PixelAUROC

    image_auroc, of_pixels = ImageAUROC(), {"pixel_auroc": PixelAUROC(), "aupro": AUPRO()}
    for maps, valid, targets in batches:
        anomaly_map, score = combine(maps, valid)
        image_auroc.update_state(targets["label"], score)
        shown = np.asarray(targets["has_mask"])
        if shown.any():
            counted = None if valid is None else np.asarray(valid)[shown]
            for metric in of_pixels.values():
                metric.update_state(
                    np.asarray(targets["mask"])[shown],
                    np.asarray(anomaly_map)[shown],
                    sample_weight=counted,
                )
    found = {name: float(metric.result()) for name, metric in of_pixels.items()}
    return {"image_auroc": float(image_auroc.result()), **found}


def model_rows(rows):
    """Yields the rows of the table of models."""
    for row in rows:
        if row["expert"] is None:
            numbers = (f"{row[name]:.4f}" for name in ("untrained", "trained"))
            yield row["data"], row["seed"], *numbers


def expert_rows(rows):
    """Yields the rows of the table of experts."""
    from scipy.stats import spearmanr

    for data, seed in dict.fromkeys((row["data"], row["seed"]) for row in rows):
        own = [row for row in rows if (row["data"], row["seed"]) == (data, seed) and row["expert"]]
        numbers = (
            spearmanr(*([row[name] for row in own] for name in pair)).statistic for pair in PAIRS
        )
        yield data, seed, len(own), *(f"{number:.2f}" for number in numbers)


def title(pair):
    return f"{pair[0]} and {pair[1]}"


if __name__ == "__main__":
    main()
