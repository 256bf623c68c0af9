"""VAE-GAN, CAVGA and weakly supervised CAVGA on the same images; CAVGA's ablation in our numbers.

    python benchmarks/cavga.py ../shared/data/mvtec/bottle --image-size 128 --output cavga.jsonl

Every model is trained and evaluated by the command line, with the same seed and the same test
set: the images that are labelled for the weakly supervised models are set apart for all. Rows are
appended to the output file; rows that it already holds are not measured again. The paper starts
from pretrained weights; here all start at random.
"""

import argparse
import json
import tempfile
from pathlib import Path

from jsonl import append_row, find_row, markdown_table, read_rows
from main_job import measure

MODELS = {
    "vae_gan, convolutional latent": ("vae_gan", {}),
    "vae_gan, dense latent": ("vae_gan", {"latent": "dense", "latent_dim": 256}),
    "cavga_d": ("cavga_d", {}),
    "cavga_r": ("cavga_r", {}),
    "cavga_weak_d": ("cavga_weak_d", {}),
    "cavga_weak_r": ("cavga_weak_r", {}),
}
ABLATION = {
    "cavga_d, dense latent": ("cavga_d", {"latent": "dense", "latent_dim": 256}),
    "cavga_d, without attention loss": ("cavga_d", {"attention_weight": 0.0}),
    "cavga_d, dense latent, without attention loss": (
        "cavga_d",
        {"latent": "dense", "latent_dim": 256, "attention_weight": 0.0},
    ),
    "cavga_weak_d, without AdaCos": ("cavga_weak_d", {"adacos": "none"}),
}
METRICS = ("image_auroc", "pixel_auroc", "aupro", "iou_oracle", "iou_pooled", "iou_per_image")
# Table 3 (IoU, by a protocol that is not stated) and 6 (balanced accuracy) of the paper's version
# 4; its models are pretrained.
PUBLISHED = {
    "bottle": {
        "CAVGA-D_u, published": (0.30, 0.89),
        "CAVGA-R_u, published": (0.34, 0.91),
        "CAVGA-D_w, published": (0.36, 0.93),
        "CAVGA-R_w, published": (0.39, 0.96),
    }
}


def main():
    arguments = parse_arguments()
    data = Path(arguments.data).name
    shared = {"data": data, "image_size": arguments.image_size, "seed": arguments.seed}
    shared["labelled_share"] = arguments.labelled_share
    for name, (model, chosen) in variants(arguments).items():
        key = {**shared, "variant": name}
        if find_row(read_rows(arguments.output), key):
            continue
        print(f"--- {name}", flush=True)
        with tempfile.TemporaryDirectory() as folder:
            config = Path(folder) / "config.json"
            config.write_text(json.dumps({"model": {"arguments": chosen}}), encoding="utf-8")
            options = ["--model", model, "--config", str(config)]
            options += ["--image-size", str(arguments.image_size)]
            options += ["--labelled-share", str(arguments.labelled_share)]
            row = measure(arguments, options, arguments.seed)
        append_row(arguments.output, {**key, **row})
    print(table(read_rows(arguments.output), shared, variants(arguments)))


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", help="category in MVTec layout")
    parser.add_argument("--image-size", type=int, default=128)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--labelled-share", type=float, default=0.02)
    parser.add_argument("--ablation", action="store_true", help="also the parts left out")
    parser.add_argument("--output", default="cavga.jsonl", help="JSON lines to append to")
    arguments = parser.parse_args()
    arguments.keep = None
    return arguments


def variants(arguments):
    return {**MODELS, **(ABLATION if arguments.ablation else {})}


def table(rows, shared, names):
    header = ["model", *METRICS, "balanced_accuracy", "train_minutes"]
    lines = []
    for name in names:
        row = find_row(rows, {**shared, "variant": name})
        lines.append([name, *(row[column] for column in header[1:])])
    for name, (iou, accuracy) in PUBLISHED.get(shared["data"], {}).items():
        lines.append([name, *[None] * (len(METRICS) - 1), iou, accuracy, None])
    return markdown_table(header, lines)


if __name__ == "__main__":
    main()
