"""What a benchmark trains: one row for each category, model and seed."""

import dataclasses
import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kerasad.data.folders import category_folders
from kerasad.data.records import CategoryIndex, read_category
from kerasad.errors import InputError
from kerasad.training.config import DataConfig, RunConfig
from kerasad.training.locations import full_path, resolve_data, with_full_paths
from kerasad.training.recipes import find_recipe, resolve_arguments
from kerasad.version import __version__


@dataclass(frozen=True)
class PlannedRow:
    """One training and its evaluation.

    Args:
        category: str. Name of the category's folder.
        config: RunConfig. What is trained; its paths mean the same from any working folder.
        images: str. A hash of all images and masks of the category.
    """

    category: str
    config: RunConfig
    images: str

    @property
    def model(self) -> str:
        """The name of the model."""
        return self.config.model.name

    @property
    def seed(self) -> int:
        """The seed of split, weights and noise."""
        return self.config.training.seed

    @property
    def name(self) -> str:
        """A name for files."""
        return f"{self.category}_{self.model}_seed{self.seed}"

    @property
    def identity(self) -> dict[str, Any]:
        """Which row of a benchmark it is."""
        return {"category": self.category, "model": self.model, "seed": self.seed}

    @property
    def settings(self) -> dict[str, Any]:
        """What all rows of a benchmark have in common, ready for JSON."""
        values = dataclasses.asdict(self.config)
        del values["data"]["path"], values["model"]["name"], values["training"]["seed"]
        values["data"]["split"] = list(values["data"]["split"])
        return {"kerasad": __version__, **values}


def plan_rows(
    config: RunConfig, data: Sequence[str], models: Sequence[str], seeds: Sequence[int]
) -> list[PlannedRow]:
    """Returns a row for each category, model and seed, in this order.

    Args:
        config: RunConfig. Everything but the category, the model's name and the seed.
        data: Categories, or folders of categories, see `find_categories`.
        models: Names of `kerasad.training.recipes.RECIPES`.
        seeds: Whole numbers >= 0.

    Raises:
        InputError: A category without test images or twice the same name, an unknown model or
            argument, a model that learns from labelled images and gets none.
    """
    for model in models:
        resolve_arguments(dataclasses.replace(config.model, name=model), 0)
        learns_from_labels = getattr(find_recipe(model).model_class, "learns_from_labels", False)
        if learns_from_labels and not _has_labelled(config.data):
            raise InputError(
                f"{model} learns from some images labelled defective: set --labelled-share, or "
                "leave it out of --models."
            )
    categories = find_categories(data)
    if config.data.labelled is not None and len(categories) > 1:
        raise InputError(
            f"--labelled {config.data.labelled} is of one category, and there are "
            f"{len(categories)}: use --labelled-share."
        )
    rows = []
    for name, path in categories.items():
        images = _hash_images(_read_index(config.data, path))
        for model in models:
            for seed in seeds:
                row = RunConfig(
                    dataclasses.replace(config.data, path=path),
                    dataclasses.replace(config.model, name=model),
                    dataclasses.replace(config.training, seed=seed),
                )
                rows.append(PlannedRow(name, with_full_paths(row), images))
    return rows


def find_categories(data: Sequence[str]) -> dict[str, str]:
    """Returns the categories that `data` names: the name of each one's folder, and its path.

    Args:
        data: Each a category in MVTec layout, `demo/NAME`, or a folder of which each sub-folder
            with `train/good` is a category.

    Raises:
        InputError: One of `data` is neither, or two categories have the same name.
    """
    found: dict[str, str] = {}
    for text in data:
        folder = resolve_data(text)
        if (folder / "train" / "good").is_dir():
            paths = [full_path(text)]
        else:
            paths = [full_path(inner) for inner in category_folders(folder)]
        if not paths:
            raise InputError(
                f"{text} is neither a category in MVTec layout (train/good, test/<defect>) nor a "
                "folder of such categories."
            )
        for path in paths:
            place = resolve_data(path).resolve()
            name = Path(os.path.abspath(resolve_data(path))).name
            if name in found and resolve_data(found[name]).resolve() != place:
                raise InputError(
                    f"Two categories are called {name} ({found[name]} and {path}), and a table "
                    "can't tell them apart: rename the folder of one."
                )
            found.setdefault(name, path)
    return found


def _has_labelled(data: DataConfig) -> bool:
    return data.labelled is not None or data.labelled_share is not None


def _read_index(data: DataConfig, path: str) -> CategoryIndex:
    # Pictures are decoded by each training anyway; headers and contents are enough here.
    index = read_category(
        resolve_data(path), on_bad=data.on_bad, decoding=data.decoding, verify=False
    )
    if not index.test:
        raise InputError(
            f"{path} has no test image, so there is nothing to measure: put good ones into "
            "test/good and defective ones into test/<defect>, or leave it out."
        )
    return index


def _hash_images(index: CategoryIndex) -> str:
    """One hash of the contents of all images and masks, and of which image is what."""
    lines = [f"train {record.content_hash}" for record in index.good]
    for record in index.test:
        mask = b"" if record.mask_path is None else Path(record.mask_path).read_bytes()
        lines.append(f"{record.defect} {record.content_hash} {hashlib.sha256(mask).hexdigest()}")
    return hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()
