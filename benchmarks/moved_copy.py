"""Writes a copy of a category in which every photo is turned, zoomed and shifted.

    python benchmarks/moved_copy.py mvtec/bottle moved/bottle --zoom 0.75 0.9 --shift 0.06
    python benchmarks/moved_copy.py magnetic_tile moved/tile --turn quarters --max-train 200
    python benchmarks/main_job.py moved/bottle --seeds 0

Detectors that model each place of the image gain from parts that are aligned, as they are in many
public data sets. Here every photo, good or defective, gets a random rotation, zoom and shift; the
area beyond its border repeats the border. Masks move along; where a defect would leave the photo,
another move is drawn. Quarter turns, mirrored half of the time, move pixels without resampling.
"""

import argparse
from pathlib import Path

import numpy as np
from peers.data import choose

TURNS = ("none", "quarters", "any")
# Share of a defect's area that must stay in the photo, and moves that are drawn for it.
KEPT = 0.9
TRIES = 100


def main():
    arguments = parse_arguments()
    copy_category(
        arguments.data,
        arguments.output,
        turn=arguments.turn,
        zoom=arguments.zoom,
        shift=arguments.shift,
        max_train=arguments.max_train,
        seed=arguments.seed,
    )


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", help="category in MVTec layout")
    parser.add_argument("output", help="folder of the copy; must not exist")
    parser.add_argument("--turn", choices=TURNS, default="any")
    parser.add_argument("--zoom", type=float, nargs=2, default=(1.0, 1.0), help="from, to")
    parser.add_argument("--shift", type=float, default=0.0, help="at most, of the longer side")
    parser.add_argument("--max-train", type=int, help="so many of the good images train")
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


def copy_category(data, output, turn="any", zoom=(1.0, 1.0), shift=0.0, max_train=None, seed=0):
    """Writes the copy, as PNG files in MVTec layout.

    Args:
        data: path of a category.
        output: path that does not exist.
        turn: str, see `TURNS`.
        zoom: pair of floats > 0, between which each photo's scale is drawn.
        shift: float >= 0, most of a shift as a share of the longer side.
        max_train: int or None. Good images are left out at random until a run trains on so many.
        seed: int.
    """
    from kerasad.data import read_category
    from kerasad.data.decoding import decode_file
    from kerasad.data.masks import read_mask
    from kerasad.training.locations import resolve_data

    output = Path(output)
    if output.exists():
        raise SystemExit(f"{output} exists: delete it or name another folder.")
    index = read_category(resolve_data(data))
    for record in (*choose(index.good, max_train), *index.test):
        # Of its content, so that leaving photos out or adding some changes no other.
        generator = np.random.default_rng([seed, int(record.content_hash[:8], 16)])
        path = (output / record.relative_path).with_suffix(".png")
        if path.exists():
            raise SystemExit(f"Two files of the category would become {path}: rename one.")
        mask = read_mask(record) if record.mask_paths else None
        for _ in range(TRIES):
            move, scale = draw_move(generator, turn, zoom, shift)
            moved_mask = None if mask is None else move(mask, mask=True)
            if mask is None or moved_mask.sum() >= KEPT * scale**2 * mask.sum():
                break
        else:
            raise SystemExit(f"{record.path}: the defect leaves the photo with every move drawn.")
        write_png(path, move(decode_file(record), mask=False))
        if mask is not None:
            folder = output / "ground_truth" / record.defect
            write_png(folder / f"{path.stem}_mask.png", moved_mask)


def draw_move(generator, turn, zoom, shift):
    """Returns a function that moves pictures `(height, width, channels)` alike, and its scale."""
    quarters, mirrored = int(generator.integers(4)), bool(generator.integers(2))
    degrees, scale = generator.uniform(-180.0, 180.0), generator.uniform(*zoom)
    offset = generator.uniform(-shift, shift, 2)

    def move(picture, mask):
        if turn == "quarters":
            picture = np.rot90(picture, quarters)
            picture = picture[:, ::-1] if mirrored else picture
        angle = np.deg2rad(degrees) if turn == "any" else 0.0
        if angle == 0.0 and scale == 1.0 and not offset.any():
            return picture
        return resampled(picture, angle, scale, offset, mask)

    return move, scale


def resampled(picture, angle, scale, offset, mask):
    from skimage.transform import SimilarityTransform, warp

    height, width = picture.shape[:2]
    center = np.array([width - 1, height - 1]) / 2.0
    transform = (
        SimilarityTransform(translation=-center)
        + SimilarityTransform(scale=scale, rotation=angle)
        + SimilarityTransform(translation=center + max(height, width) * offset)
    )
    moved = warp(
        picture.astype("float32"),
        transform.inverse,
        order=1,
        mode="edge",
    )
    return moved > 0.5 if mask else moved


def write_png(path, picture):
    from PIL import Image

    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.uint8(np.round(255.0 * np.clip(picture, 0.0, 1.0)))
    Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels).save(path)


if __name__ == "__main__":
    main()
