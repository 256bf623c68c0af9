"""Every published method of `kerasad.baselines` beside the models of this package, in one table.

    python benchmarks/baselines.py ../shared/data/mvtec/bottle --output DIR
    python benchmarks/baselines.py ../shared/data/mvtec/leather_subset --image-size 512 --tile 128 \
        --output DIR

All are trained and evaluated by `kerasad benchmark`, with the same images, split and seeds, and a
stopped one continues. `DIR/baselines.md` has for each category a line a method: what it reached,
milliseconds an image, megabytes of the detector and minutes of its training, and below the
notices of models that collapsed, whose numbers say nothing of the method. Published numbers stand
beside ours by `published.py`, which reads the same `DIR/benchmark.json`.
"""

import argparse
import json
from pathlib import Path

from kerasad.metrics.registry import MEASURES
from kerasad.runs.benchmark import run_benchmark
from kerasad.runs.benchmark_table import markdown_table
from kerasad.training.config import DataConfig, RunConfig, TrainingConfig

FAMILIES = {
    "autoencoders": ("autoencoder_l2", "autoencoder_ssim", "denoising_autoencoder", "vae"),
    "adversarial": (
        "adversarial_autoencoder",
        "vae_gan_similarity",
        "ganomaly",
        "egbad",
        "f_anogan",
        "vae_gan",
        "cavga_d",
    ),
    "statistics of pixels": ("gaussian_mixture",),
    "pretrained features": ("student_teacher", "feature_statistics", "feature_vae_gan"),
}
METRICS = ("image_auroc", "pixel_auroc", "aupro", "iou_oracle", "balanced_accuracy")
COSTS = ("milliseconds_per_image", "model_mb")
COLUMNS = (*METRICS, *COSTS)


def main():
    arguments = parse_arguments()
    config = RunConfig(
        DataConfig(
            arguments.data[0],
            image_size=arguments.image_size,
            crop_size=arguments.tile,
            group_by=arguments.group_by,
        ),
        training=TrainingConfig(epochs=arguments.epochs),
    )
    run_benchmark(
        config,
        arguments.data,
        arguments.output,
        models=arguments.models,
        seeds=arguments.seeds,
        keep_runs=arguments.keep_runs,
        echo=lambda text: print(text, flush=True),
    )
    table = json.loads((arguments.output / "benchmark.json").read_text(encoding="utf-8"))
    page = format_page(table)
    (arguments.output / "baselines.md").write_text(page, encoding="utf-8")
    print(f"\n{page}")


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", nargs="+", help="categories, or folders of categories")
    parser.add_argument("--image-size", default="128")
    parser.add_argument("--tile", help="train on crops of this size, predict in tiles of it")
    parser.add_argument("--group-by", default="auto")
    parser.add_argument("--epochs", type=int, help="default: the steps of each model")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument(
        "--models", nargs="+", default=[name for family in FAMILIES.values() for name in family]
    )
    parser.add_argument("--keep-runs", action="store_true", help="keep the trained runs")
    parser.add_argument("--output", type=Path, default=Path("baselines"))
    return parser.parse_args()


def format_page(table):
    """Returns the table of `benchmark.json` as Markdown, the methods by family."""
    header = ["category", "family", "method", *(MEASURES[name].heading for name in COLUMNS)]
    lines = []
    for category in dict.fromkeys(row["category"] for row in table["rows"]):
        rows = {row["model"]: row for row in table["rows"] if row["category"] == category}
        for family, models in {**FAMILIES, "others": others(rows)}.items():
            for model in models:
                if model in rows:
                    cells = [format_cell(rows[model], name, table["seeds"]) for name in COLUMNS]
                    minutes = rows[model]["fit_seconds"]
                    cells.append("" if minutes is None else f"{minutes['mean'] / 60:.1f}")
                    lines.append([category, family, model, *cells])
    parts = [markdown_table([*header, "fit min"], lines)]
    parts += ["\n".join(f"- {note}" for note in table["notes"])] if table["notes"] else []
    return "\n\n".join(parts) + "\n"


def others(rows):
    known = {name for family in FAMILIES.values() for name in family}
    return [name for name in rows if name not in known]


def format_cell(row, name, seeds):
    """Returns the mean of a measure, over several seeds with its range."""
    value, measure = row[name], MEASURES[name]
    if value is None:
        return ""
    cell = measure.format(value["mean"])
    if len(seeds) > 1 and name in METRICS and value["lowest"] is not None:
        cell += f" ({measure.format(value['lowest'])}..{measure.format(value['highest'])})"
    return cell


if __name__ == "__main__":
    main()
