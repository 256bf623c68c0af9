"""Where data is: in a folder of the user, or in the embedded demo."""

import dataclasses
import os
from collections.abc import Sequence
from pathlib import Path

from kerasad.data.keras_datasets import is_keras_dataset, resolve_keras_dataset
from kerasad.data.layouts import category_folders, is_category
from kerasad.errors import InputError
from kerasad.synthetic.demo import resolve_demo
from kerasad.training.config import DataConfig, RunConfig


def resolve_data(data: str | os.PathLike) -> Path:
    """Returns the folder or file that `data` names.

    `demo` and `demo/NAME` name an embedded category, which is written to the cache folder of the
    user once; a path inside it may follow, as in `demo/brick/test`. An existing folder of that
    name takes precedence. `keras:NAME/CLASS` is a category of a data set of Keras, see
    `resolve_keras_dataset`.

    Raises:
        InputError: There is no such category.
    """
    if is_keras_dataset(data):
        return resolve_keras_dataset(data)
    path = Path(data).expanduser()
    parts = path.parts
    if path.exists() or parts[:1] != ("demo",):
        return path
    return Path(resolve_demo("/".join(parts[:2]))).joinpath(*parts[2:])


def full_path(data: str | os.PathLike) -> str:
    """Returns an absolute path, or the name of a demo as it is."""
    path = Path(data).expanduser()
    return str(path.absolute()) if path.exists() else str(data)


def with_data(
    config: DataConfig,
    data: str | None = None,
    *,
    good: Sequence[str] = (),
    bad: Sequence[str] = (),
    masks: Sequence[str] = (),
    mask_foreground: str | None = None,
    group_by: str | None = None,
    roi: str | None = None,
) -> DataConfig:
    """Returns the settings of a run for other data.

    The folders that the user named for the training belong to its data; they count for no other,
    and not if folders are named anew. So do the files that were left out of it, as long as they are
    there.

    Args:
        config: DataConfig. The data of the run.
        data: str or None. None is the data of the run.
        good: Folders of good images that the user names now.
        bad: Folders of defective images.
        masks: Folders of masks.
        mask_foreground: str or None. Which pixels of a mask are defects; None is what the run says.
        group_by: str or None. Which images belong together; None is what the run says.
        roi: str or None. The folder of regions of interest; None is that of the run, for its own
            data.
    """
    path = config.path if data is None else data
    rule = config.mask_foreground if mask_foreground is None else mask_foreground
    named = {"good": tuple(good), "bad": tuple(bad), "masks": tuple(masks)}
    is_same = resolve_data(path).resolve() == resolve_data(config.path).resolve()
    if is_same and not any(named.values()):
        named = config.folders
    root = _root(path)
    exclude = [name for name in config.exclude if is_same and (root / name).exists()]
    groups = config.group_by if group_by is None else group_by
    regions = config.roi if roi is None and is_same else roi
    named["exclude"] = tuple(exclude)
    return dataclasses.replace(
        config, path=str(path), mask_foreground=rule, group_by=groups, roi=regions, **named
    )


def find_categories(data: Sequence[str], by_hand: bool = False) -> dict[str, str]:
    """Returns the path of each category that `data` names, by the name of its folder.

    Args:
        data: Each is one category, `demo/NAME`, or a folder of categories.
        by_hand: bool. Whether the user names the folders inside, so that each is one category.

    Raises:
        InputError: One of `data` is none of these, or two categories have the same name.
    """
    found: dict[str, str] = {}
    for text in data:
        folder = resolve_data(text)
        paths = [text] if by_hand or is_category(folder) else category_folders(folder)
        if not paths:
            raise InputError(
                f"{text} is neither one category (such as train/good and test/<defect>, or a CSV "
                "manifest) nor a folder of categories."
            )
        for path in map(full_path, paths):
            folder = Path(os.path.abspath(resolve_data(path)))
            name = folder.stem if folder.is_file() else folder.name
            other = found.setdefault(name, path)
            if resolve_data(other).resolve() != resolve_data(path).resolve():
                raise InputError(
                    f"Two categories are called {name} ({other} and {path}), and a table can't "
                    "tell them apart: rename the folder of one."
                )
    return found


def with_full_paths(config: RunConfig) -> RunConfig:
    """Returns `config` with absolute paths, so that it holds in any working folder."""
    from kerasad.backbones.hub import is_network_folder  # with Keras, which others spare

    data = dataclasses.replace(
        config.data,
        path=full_path(config.data.path),
        labelled=None if config.data.labelled is None else full_path(config.data.labelled),
        exclude=tuple(_fix(name, config.data.path) for name in config.data.exclude),
        tune_with=tuple(_fix(name, config.data.path) for name in config.data.tune_with),
    )
    arguments = dict(config.model.arguments)
    for name in ("encoder_weights", "backbone_weights"):
        weights = arguments.get(name)
        # Other values are names, or refused by the model.
        if isinstance(weights, str | os.PathLike) and weights != "imagenet":
            arguments[name] = full_path(weights)
    backbone = arguments.get("backbone")
    if isinstance(backbone, str) and is_network_folder(backbone):
        arguments["backbone"] = full_path(backbone)
    model = dataclasses.replace(config.model, arguments=arguments)
    return dataclasses.replace(config, data=data, model=model)


def _root(path: str) -> Path:
    """Returns the folder that relative paths of images start from."""
    data = resolve_data(path)
    return data.parent if data.is_file() else data


def _fix(name: str, path: str) -> str:
    """Returns the name of an image so that it holds in any working folder."""
    return name if (_root(path) / name).exists() else full_path(name)
