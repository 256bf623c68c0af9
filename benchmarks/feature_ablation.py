"""What each part of `feature_vae_gan` contributes: experts, alone and left out, and loss terms.

    python benchmarks/feature_ablation.py mvtec/bottle --output feature_ablation.jsonl

One model with the defaults serves all rows of experts. Its detector holds every expert, including
those that are off by default, and each row chooses weights for its experts on synthetic defects.
Each row of loss terms trains a model. It is measured with the fusion of the default experts and
with each residual expert alone, because Gaussians of features do not depend on the losses. Rows are
appended to the output file; rows that it already holds are not measured again.
"""

import argparse
import dataclasses
import os
import tempfile
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
from ablation import METRICS, shared_key
from ablation import VARIANTS as OF_PIXELS
from results import append_row, find_row, markdown_table, read_rows

EXPERTS = "experts"
RESIDUALS = ("feature_residual", "critic")
SHARED = (
    "no reconstruction term",
    "no KL term",
    "no adversarial term",
    "no AdaCos term",
    "AdaCos cluster",
    "AdaCos instance",
)
VARIANTS = {
    EXPERTS: {},
    **{name: OF_PIXELS[name] for name in SHARED},
    "KL weight 1": {"kl_weight": 1.0},
    "no synthetic damage (AdaCos cluster)": {"corruption": 0.0, "adacos": "cluster"},
}


def main():
    arguments = parse_arguments()
    shared = shared_key(arguments)
    for variant in arguments.variants or VARIANTS:
        if not find_row(read_rows(arguments.output), {**shared, "variant": variant, "row": "last"}):
            measure(arguments, variant, shared)
    print_tables(read_rows(arguments.output), shared)


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", help="category in MVTec layout")
    parser.add_argument("--image-size", default="256")
    parser.add_argument("--epochs", type=int, help="those of the defaults if left out")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--variants", nargs="+", choices=VARIANTS, help="only these")
    parser.add_argument(
        "--output", default="feature_ablation.jsonl", help="JSON lines to append to"
    )
    return parser.parse_args()


def measure(arguments, variant, shared):
    import keras

    from kerasad.training.building import build_model, choose_epochs, compile_model, open_category
    from kerasad.training.config import DataConfig, ModelConfig, RunConfig, TrainingConfig
    from kerasad.training.fitting import fit
    from kerasad.training.recipes import resolve_training

    print(f"--- {variant}", flush=True)
    config = RunConfig(
        data=DataConfig(path=arguments.data, image_size=arguments.image_size),
        model=ModelConfig("feature_vae_gan", VARIANTS[variant]),
        training=TrainingConfig(epochs=arguments.epochs, seed=arguments.seed),
    )
    keras.utils.set_random_seed(arguments.seed)
    # Weights are chosen, and thresholds set, on images that train nothing.
    category = open_category(config, crosswise=False)
    settings = resolve_training(config.model, config.training)
    settings = dataclasses.replace(settings, epochs=choose_epochs(config.model, settings, category))
    started = time.perf_counter()
    model = build_model(config.model, category.image_shape, arguments.seed)
    compile_model(model, settings, settings.epochs * category.steps_per_epoch)
    with tempfile.TemporaryDirectory() as folder:
        fit(model, category, settings.epochs, arguments.seed, Path(folder) / "h.csv", verbose=0)
    seconds = round(time.perf_counter() - started, 1)
    written = {row["row"] for row in read_rows(arguments.output) if agrees(row, shared, variant)}
    for name, values in measure_subsets(model, category, arguments.seed, variant == EXPERTS):
        print(f"{name}: " + " ".join(f"{values[metric]:.3f}" for metric in METRICS), flush=True)
        row = {**shared, "variant": variant, "row": name, "train_seconds": seconds, **values}
        if name not in written:
            append_row(arguments.output, row)
    append_row(arguments.output, {**shared, "variant": variant, "row": "last"})


def agrees(row, shared, variant):
    return find_row([row], {**shared, "variant": variant}) is not None


def measure_subsets(model, category, seed, all_experts):
    """Yields names and metrics of the defaults, `RESIDUALS` alone and, if asked, all others."""
    from kerasad import AnomalyDetector, evaluate
    from kerasad.detector.adaptation import draw_fusion_samples
    from kerasad.detector.expert_maps import tensor_shapes
    from kerasad.detector.experts import (
        CellMemory,
        FeatureResidual,
        default_experts,
        feature_residual_experts,
        model_experts,
    )

    shapes = tensor_shapes(model)
    experts = default_experts(shapes)
    defaults = [expert.name for expert in experts]
    others = model_experts(shapes) + feature_residual_experts(shapes)
    others = [expert for expert in others if expert.name not in defaults]
    if all_experts:
        experts += others
        experts += [
            FeatureResidual([scale], name=f"feature_residual_{scale}")
            for scale in FeatureResidual.scales_of(shapes)
        ]
        experts.append(CellMemory("features", name="cell_memory"))
    else:
        experts += [expert for expert in others if expert.name in RESIDUALS]
    detector = AnomalyDetector(
        model, experts, image_size=category.full_shape[:2], keep_aspect=category.keep_aspect
    )
    detector.expert_maps.fit(category.train_for_experts)
    detector.map_calibration.measure(detector.iterate_maps(category.validation))
    on_crops = category.split.calibration_on_crops
    calibrations = [detector.map_calibration]
    (sample,) = draw_fusion_samples(
        detector, category.validation, calibrations, seed=seed, on_crops=on_crops
    )
    names = [expert.name for expert in experts]
    subsets = {"defaults": defaults, **{name: [name] for name in RESIDUALS}}
    if all_experts:
        subsets |= {"all, off by default included": names}
        subsets |= {
            f"defaults without {name}": [other for other in defaults if other != name]
            for name in defaults
        }
        subsets |= {name: [name] for name in names}
    for title, subset in subsets.items():
        choose(detector, sample, [name in subset for name in names])
        detector.calibrate(category.calibration, on_crops=on_crops, verbose=0)
        metrics = evaluate(detector, category.test, records=category.index.test, verbose=0)
        weights = detector.calibration_summary()["experts"]
        yield (
            title,
            {
                **{name: metrics[name] for name in METRICS},
                "weights": {
                    name: [round(row["weight"], 3), round(row["score_weight"], 3)]
                    for name, row in weights.items()
                    if row["weight"] or row["score_weight"]
                },
            },
        )


def choose(detector, sample, chosen):
    """Sets the weights that the experts `chosen` (bools) have among themselves, of others 0."""
    from kerasad.detector.experts import trust
    from kerasad.detector.fusion import fuse

    chosen = np.array(chosen)
    part = dataclasses.replace(
        sample, maps=sample.maps[..., chosen], place_maps=sample.place_maps[..., chosen]
    )
    own = [expert for expert, kept in zip(detector.experts, chosen, strict=True) if kept]
    for state, weights in zip(
        (detector.fusion_weights, detector.score_weights), fuse(part, *trust(own)), strict=True
    ):
        full = np.zeros(len(chosen), "float32")
        full[chosen] = weights
        state.assign(full)


def print_tables(rows, shared):
    for variants in ([EXPERTS], [name for name in VARIANTS if name != EXPERTS]):
        lines = []
        for row in rows:
            is_shared = all(row.get(key) == value for key, value in shared.items())
            if is_shared and row["variant"] in variants and row["row"] != "last":
                title = row["row"] if row["variant"] == EXPERTS else row["variant"]
                if row["variant"] != EXPERTS and row["row"] in RESIDUALS:
                    title += f", {row['row']} alone"
                lines.append([title, *(row[metric] for metric in METRICS)])
        print(markdown_table(["", *METRICS], lines) + "\n")


if __name__ == "__main__":
    main()
