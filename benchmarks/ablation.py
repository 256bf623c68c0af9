"""What each part of `vae_gan` contributes: terms, latent, AdaCos modes and scale, experts.

    python benchmarks/ablation.py ../shared/data/mvtec/bottle --output ablation.jsonl

Each variant changes the arguments in its row and trains with the same data, seed and number of
epochs. The experts are measured alone, on the model with the defaults. Rows are
appended to the output file; rows that it already holds are not measured again.
"""

import argparse
import os
import tempfile
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

from results import append_row, find_row, markdown_table, read_rows

VARIANTS = {
    "defaults": {},
    "no reconstruction term": {"reconstruction_weight": 0.0},
    "no KL term": {"kl_weight": 0.0},
    "KL weight 1 (the evidence lower bound)": {"kl_weight": 1.0},
    "no adversarial term": {"adversarial_weight": 0.0},
    "no AdaCos term": {"adacos": "none"},
    "no SSIM share": {"ssim_weight": 0.0},
    "dense latent": {"latent": "dense", "latent_dim": 256},
    "AdaCos cluster": {"adacos": "cluster"},
    "AdaCos instance": {"adacos": "instance"},
    "AdaCos instance, fixed scale": {"adacos": "instance", "adacos_scale": "fixed"},
    "AdaCos pretext, fixed scale": {"adacos_scale": "fixed"},
    "AdaCos cluster, fixed scale": {"adacos": "cluster", "adacos_scale": "fixed"},
}
METRICS = ("image_auroc", "pixel_auroc", "aupro", "iou_oracle", "iou_pooled", "balanced_accuracy")


def main():
    arguments = parse_arguments()
    shared = shared_key(arguments)
    for name in VARIANTS:
        wanted = [{**shared, "variant": name}]
        if name == "defaults":
            wanted.append({**shared, "variant": "experts"})
        if all(find_row(read_rows(arguments.output), key) for key in wanted):
            continue
        measure(arguments, name, shared)
    print_tables(read_rows(arguments.output), shared)


def shared_key(arguments):
    """Returns the key that all rows of one ablation share."""
    return {
        "data": Path(arguments.data).name,
        "image_size": arguments.image_size,
        "epochs": arguments.epochs,
        "seed": arguments.seed,
    }


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", help="category in MVTec layout")
    parser.add_argument("--image-size", type=int, default=64)
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", default="ablation.jsonl", help="JSON lines to append to")
    return parser.parse_args()


def measure(arguments, name, shared):
    import keras

    from kerasad import evaluate
    from kerasad.training.building import build_model, make_detector, open_category
    from kerasad.training.config import DataConfig, ModelConfig, RunConfig, TrainingConfig
    from kerasad.training.fitting import fit

    print(f"--- {name}", flush=True)
    config = RunConfig(
        data=DataConfig(path=arguments.data, image_size=str(arguments.image_size)),
        model=ModelConfig(name="vae_gan", arguments=VARIANTS[name]),
        training=TrainingConfig(epochs=arguments.epochs, seed=arguments.seed),
    )
    keras.utils.set_random_seed(arguments.seed)
    category = open_category(config)
    started = time.perf_counter()
    model = build_model(config.model, category.image_shape, arguments.seed)
    model.compile()
    with tempfile.TemporaryDirectory() as folder:
        fit(model, category, arguments.epochs, arguments.seed, Path(folder) / "h.csv", verbose=0)
    seconds = round(time.perf_counter() - started, 1)
    detector, _ = make_detector(model, category, config, verbose=0)
    metrics = evaluate(detector, category.test, records=category.index.test, verbose=0)
    row = {**shared, "variant": name, "train_seconds": seconds, **chosen(metrics)}
    row["fusion"] = {
        expert: round(values["weight"], 3)
        for expert, values in detector.calibration_summary()["experts"].items()
        if values["weight"]
    }
    append_row(arguments.output, row)
    if name == "defaults":
        experts = measure_experts(detector, category, evaluate)
        append_row(arguments.output, {**shared, "variant": "experts", "experts": experts})


def measure_experts(detector, category, evaluate, names=None):
    """Returns the metrics of each expert alone, with a calibration of its own."""
    rows = {}
    for index, expert in enumerate(detector.experts):
        if names is not None and expert.name not in names:
            continue
        weights = [float(index == other) for other in range(len(detector.experts))]
        detector.fusion_weights.assign(weights)
        detector.score_weights.assign(weights)
        on_crops = category.split.calibration_on_crops
        detector.calibrate(category.calibration, on_crops=on_crops, verbose=0)
        rows[expert.name] = chosen(evaluate(detector, category.test, verbose=0))
    return rows


def chosen(metrics):
    return {name: metrics[name] for name in METRICS}


def print_tables(rows, shared):
    lines = []
    for name in VARIANTS:
        row = find_row(rows, {**shared, "variant": name})
        lines.append([name, *(row[metric] for metric in METRICS), row["train_seconds"]])
    print(markdown_table(["variant", *METRICS, "train s"], lines))
    experts = find_row(rows, {**shared, "variant": "experts"})["experts"]
    lines = [[name, *(values[metric] for metric in METRICS)] for name, values in experts.items()]
    print("\n" + markdown_table(["expert alone", *METRICS], lines))


if __name__ == "__main__":
    main()
