"""Numbers that others have published for MVTec AD, with their sources.

`published.csv` has a line for each method, source and metric: the mean over the 15 categories,
where there is one, and the categories, where they are known. `evidence` is F: found in a public
source. `published_sources.csv` says where. Metrics have the names of `metrics.json`, and `iou` is
CAVGA's, whose protocol is not stated.
"""

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

METRICS = ("image_auroc", "pixel_auroc", "aupro", "iou_oracle", "iou", "balanced_accuracy")


@dataclass(frozen=True)
class Source:
    """Where numbers were read.

    Args:
        name: str.
        reference: str. Authors, name, venue.
        year: int or None. None is a state of a repository that `reference` names.
        note: str. What to bear in mind.
    """

    name: str
    reference: str
    year: int | None
    note: str


@dataclass(frozen=True)
class Published:
    """One metric of one method.

    Args:
        method: str.
        source: Source.
        metric: str, of `METRICS`.
        mean: float or None. Over all 15 categories.
        categories: dict from the name of a category to a float.
    """

    method: str
    source: Source
    metric: str
    mean: float | None
    categories: dict[str, float]

    def to_dict(self) -> dict[str, Any]:
        """All there is to know, ready for JSON."""
        return {
            "method": self.method,
            "metric": self.metric,
            "mean": self.mean,
            "categories": self.categories,
            "source": self.source.name,
            "reference": self.source.reference,
            "year": self.source.year,
        }


def load_published() -> list[Published]:
    """Returns all published numbers, in the order of the file."""
    sources = {source.name: source for source in load_sources()}
    return [
        Published(
            line["method"],
            sources[line["source"]],
            line["metric"],
            float(line["mean"]) if line["mean"] else None,
            {name: float(line[name]) for name in _categories(line) if line[name]},
        )
        for line in _read("published.csv")
    ]


def load_sources() -> list[Source]:
    """Returns all sources, in the order of the file."""
    return [
        Source(**{**line, "year": int(line["year"]) if line["year"] else None})
        for line in _read("published_sources.csv")
    ]


def category_names() -> tuple[str, ...]:
    """Returns the names of MVTec AD's 15 categories."""
    return tuple(_categories(_read("published.csv")[0]))


def published_for(categories: Iterable[str]) -> list[Published]:
    """Returns what to show beside these categories; nothing if none is MVTec AD's."""
    if not {*categories} & {*category_names()}:
        return []
    return load_published()


def _categories(line: dict[str, str]) -> list[str]:
    return [name for name in line if name not in ("method", "source", "metric", "evidence", "mean")]


def _read(name: str) -> list[dict[str, str]]:
    with Path(__file__).with_name(name).open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))
