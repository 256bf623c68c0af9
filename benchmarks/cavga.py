"""VAE-GAN, CAVGA and weakly supervised CAVGA on the same images, and an ablation of CAVGA.

    python benchmarks/cavga.py ../shared/data/mvtec/bottle --image-size 128 --output cavga.jsonl

Every model is trained and evaluated by the command line, with the same seed and the same test
set: the images that the weakly supervised models see labelled are left out for all. The second
table is of the attention alone, which is the paper's anomaly map. Rows are appended to the
output file; rows that it already holds are not measured again. The paper starts from pretrained
weights; here all start at random. Its own numbers stand beside them, from `published.csv`.
"""

import argparse
import json
import tempfile
from pathlib import Path

from ablation import measure_experts
from main_job import measure
from published import read_published
from results import append_row, find_row, markdown_table, read_rows

DENSE = {"latent": "dense", "latent_dim": 256}
MODELS = {
    "vae_gan, convolutional latent": ("vae_gan", {}),
    "vae_gan, dense latent": ("vae_gan", DENSE),
    "cavga_d": ("cavga_d", {}),
    "cavga_r": ("cavga_r", {}),
    "cavga_weak_d": ("cavga_weak_d", {}),
    "cavga_weak_r": ("cavga_weak_r", {}),
}
ABLATION = {
    "cavga_d": ("cavga_d", {}),
    "cavga_d, dense latent": ("cavga_d", DENSE),
    "cavga_d, without attention loss": ("cavga_d", {"attention_weight": 0.0}),
    "cavga_d, neither": ("cavga_d", {**DENSE, "attention_weight": 0.0}),
    "cavga_weak_d": ("cavga_weak_d", {}),
    "cavga_weak_d, dense latent": ("cavga_weak_d", DENSE),
    "cavga_weak_d, without attention loss": ("cavga_weak_d", {"guidance_weight": 0.0}),
    "cavga_weak_d, without AdaCos": ("cavga_weak_d", {"adacos": "none"}),
}
METRICS = ("image_auroc", "pixel_auroc", "aupro", "iou_oracle", "iou_pooled", "iou_per_image")
ALONE = ("image_auroc", "pixel_auroc", "aupro", "iou_oracle")
ATTENTION = ("inattention", "anomalous_attention")


def main():
    arguments = parse_arguments()
    data = Path(arguments.data).name
    shared = {"data": data, "image_size": arguments.image_size}
    shared["labelled_share"] = arguments.labelled_share
    for seed in arguments.seeds:
        for name in variants(arguments):
            key = {**shared, "seed": seed, "variant": name}
            if find_row(read_rows(arguments.output), key) is None:
                print(f"--- {name}, seed {seed}", flush=True)
                append_row(arguments.output, {**key, **measure_variant(arguments, name, seed)})
    print_tables(read_rows(arguments.output), shared, arguments)


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", help="category in MVTec layout")
    parser.add_argument("--image-size", type=int, default=128)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--labelled-share", type=float, default=0.02)
    parser.add_argument("--ablation", action="store_true", help="parts left out instead")
    parser.add_argument("--output", default="cavga.jsonl", help="JSON lines to append to")
    return parser.parse_args()


def variants(arguments):
    return ABLATION if arguments.ablation else MODELS


def measure_variant(arguments, name, seed):
    """Trains and evaluates by the command line; then measures the attention of the run alone."""
    model, chosen = variants(arguments)[name]
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "config.json"
        config.write_text(json.dumps({"model": {"arguments": chosen}}), encoding="utf-8")
        options = ["--model", model, "--config", str(config)]
        options += ["--image-size", str(arguments.image_size)]
        options += ["--labelled-share", str(arguments.labelled_share)]
        arguments.keep = Path(folder) / "runs"
        row = measure(arguments, options, seed)
        return {**row, **measure_alone(next(arguments.keep.iterdir()), seed)}


def measure_alone(path, seed):
    """Returns the fusion weights of a run, and the metrics of its attention alone."""
    from kerasad import evaluate
    from kerasad.runs.run import open_run
    from kerasad.training.building import open_category

    run = open_run(path)
    detector = run.load_detector()
    category = open_category(run.config)
    weights = {
        expert: round(values["weight"], 3)
        for expert, values in detector.calibration_summary()["experts"].items()
        if values["weight"]
    }
    return {"fusion": weights, "experts": measure_experts(detector, category, evaluate, ATTENTION)}


def print_tables(rows, shared, arguments):
    """Prints the means over the seeds: of the detector, and of the attention alone."""
    found = {
        name: [find_row(rows, {**shared, "seed": s, "variant": name}) for s in arguments.seeds]
        for name in variants(arguments)
    }
    header = ["model", *METRICS, "balanced_accuracy", "train_minutes"]
    lines = [[name, *means(seeds, header[1:])] for name, seeds in found.items()]
    for method, values in published_for(shared["data"]).items():
        cells = [values["iou"], values["balanced_accuracy"]]
        lines.append([f"{method}, published", *[None] * (len(METRICS) - 1), *cells, None])
    print(markdown_table(header, lines))
    header = ["attention alone", "expert", *ALONE]
    lines = []
    for name, seeds in found.items():
        for expert in ATTENTION:
            alone = [row["experts"][expert] for row in seeds if expert in row["experts"]]
            if alone:
                lines.append([name, expert, *means(alone, ALONE)])
    print("\n" + markdown_table(header, lines))


def published_for(category):
    """Returns IoU (by a protocol that is not stated) and accuracy of CAVGA's own tables."""
    found = {}
    for entry in read_published():
        if entry.method.startswith("CAVGA") and category in entry.categories:
            found.setdefault(entry.method, {})[entry.metric] = entry.categories[category]
    return {method: values for method, values in found.items() if "balanced_accuracy" in values}


def means(rows, columns):
    """Returns the mean of each column; over several rows with its range."""
    cells = []
    for column in columns:
        values = [row[column] for row in rows]
        cells.append(sum(values) / len(values))
        if len(values) > 1:
            cells[-1] = f"{cells[-1]:.3f} ({min(values):.3f}-{max(values):.3f})"
    return cells


if __name__ == "__main__":
    main()
