"""Published numbers beside those of `kerasad benchmark`.

    kerasad benchmark mvtec --models feature_vae_gan,cavga_d --output DIR
    python benchmarks/published.py DIR/benchmark.json        # prints and writes DIR/published.md

`published.csv` has a line for each method, source and metric: the mean over the 15 categories of
MVTec AD, where there is one, and the categories, where they are known. `evidence` is F: found in a
public source, which `published_sources.csv` names. Metrics have the names of `metrics.json`; `iou`
is CAVGA's, whose protocol is not stated.
"""

import argparse
import csv
import json
from dataclasses import dataclass
from pathlib import Path

from kerasad.metrics.registry import MEASURES
from kerasad.runs.benchmark_table import markdown_table

NAMES = ("image_auroc", "pixel_auroc", "aupro", "iou_oracle", "balanced_accuracy")
TITLES = {name: MEASURES[name].title for name in NAMES} | {"iou": "IoU, protocol not stated"}
# Our metrics beside a published one, where they are not the same one alone.
BESIDE = {"iou": {"iou_oracle": "(best)", "iou_per_image": "(per image)"}}
CAUTION = (
    "Measured by others, with other image sizes, splits, seeds and protocols. A category is found "
    "by the name of its folder alone. CAVGA's IoU is at a fixed threshold, and how it is pooled is "
    "not stated: .47 with a pixel AUROC of .89 is not plausible for pooled pixels, where PatchCore "
    "reaches .449 at its best threshold. A year is that of the source. Means are over all 15 "
    "categories of MVTec AD; ours are beside them if all 15 were measured."
)


@dataclass(frozen=True)
class Published:
    """One metric of one method: its mean over all 15 categories or None, and its categories."""

    method: str
    source: str
    metric: str
    mean: float | None
    categories: dict[str, float]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("benchmark", type=Path, help="benchmark.json of `kerasad benchmark`")
    path = parser.parse_args().benchmark
    page = format_page(json.loads(path.read_text(encoding="utf-8")))
    path.with_name("published.md").write_text(page, encoding="utf-8")
    print(page)


def read_published():
    """Returns all published numbers, in the order of the file."""
    names = category_names()
    return [
        Published(
            line["method"],
            line["source"],
            line["metric"],
            float(line["mean"]) if line["mean"] else None,
            {name: float(line[name]) for name in names if line[name]},
        )
        for line in read_csv("published.csv")
    ]


def read_sources():
    """Returns a dict of `reference`, `year` and `note` of each source, by its name."""
    return {line["name"]: line for line in read_csv("published_sources.csv")}


def category_names():
    """Returns the names of MVTec AD's 15 categories."""
    others = ("method", "source", "metric", "evidence", "mean")
    return [name for name in read_csv("published.csv")[0] if name not in others]


def read_csv(name):
    with Path(__file__).with_name(name).open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def format_page(table):
    """Returns the page as Markdown, from the content of `benchmark.json`."""
    published, sources = read_published(), read_sources()
    signs = {name: f"{source['year']} [{i}]" for i, (name, source) in enumerate(sources.items(), 1)}
    parts = ["# Published numbers", CAUTION]
    for metric, title in TITLES.items():
        if lines := category_table(table, metric, published, signs):
            parts += [f"## {title}", lines]
    parts += ["## Means over MVTec AD", means_table(table, published, signs)]
    parts.append(
        "\n".join(
            f"- [{number}] {source['reference']}. {source['note']}".rstrip()
            for number, source in enumerate(sources.values(), 1)
        )
    )
    return "\n\n".join(parts) + "\n"


def category_table(table, metric, published, signs):
    """Returns ours, then the others', of the categories that both have; None if there is none."""
    ours = {(row["category"], row["model"]): row for row in table["rows"]}
    measured = [name for name in dict.fromkeys(row["category"] for row in table["rows"])]
    others = [entry for entry in published if entry.metric == metric]
    others = [entry for entry in others if {*measured} & {*entry.categories}]
    if not others:
        return None
    own = [
        (mean["model"], name, title)
        for mean in table["means"]
        for name, title in BESIDE.get(metric, {metric: ""}).items()
    ]
    header = ["category", *(f"{model} {title}".strip() for model, _, title in own)]
    header += [f"{entry.method} {signs[entry.source]}" for entry in others]
    lines = [
        [
            category,
            *(number(mean_of(ours[category, model][name])) for model, name, _ in own),
            *(number(entry.categories.get(category)) for entry in others),
        ]
        for category in measured
        if category in category_names()
    ]
    return markdown_table(header, lines)


def means_table(table, published, signs):
    """Returns our means, if they are of all 15 categories, then those of others."""
    lines = []
    if {row["category"] for row in table["rows"]} == {*category_names()}:
        for mean in table["means"]:
            complete = [name for name, count in mean["categories"].items() if count == 15]
            cells = [number(mean_of(mean[m])) if m in complete else "" for m in TITLES]
            lines.append([mean["model"], "here", *cells])
    methods = {}
    for entry in published:
        if entry.mean is not None:
            methods.setdefault((entry.method, entry.source), {})[entry.metric] = entry.mean
    for (method, source), values in methods.items():
        cells = [number(values.get(metric)) for metric in TITLES]
        lines.append([method, signs[source].strip(), *cells])
    return markdown_table(["method", "source", *TITLES.values()], lines)


def mean_of(spread):
    return None if spread is None else spread["mean"]


def number(value):
    return "" if value is None else f"{value:.3f}"


if __name__ == "__main__":
    main()
