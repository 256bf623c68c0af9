"""Plans of an epoch: integer tables of the images that are shown, and of the parts cut from them.

A row is a visit to one image: its index, then top and left of each part.
"""

import itertools

import numpy as np

CROPS_PER_VISIT = 4
WINDOWS_PER_PHOTO = 16
# Keep the random numbers of different purposes apart under one seed.
_EPOCH_STREAM, _WINDOW_STREAM = 1, 2


def epoch_generator(seed: int, epoch: int) -> np.random.Generator:
    """Returns the random generator of one epoch."""
    return np.random.default_rng((seed, _EPOCH_STREAM, epoch))


def default_crops_per_image(full_size: tuple[int, int], crop_size: tuple[int, int]) -> int:
    """Returns how many crops have twice the area of an image.

    Args:
        full_size: (height, width) in pixels.
        crop_size: (height, width) in pixels, no larger.
    """
    ratio = (full_size[0] * full_size[1]) / (crop_size[0] * crop_size[1])
    return 1 if ratio == 1 else max(1, round(2 * ratio))


def plan_epoch(
    rng: np.random.Generator,
    inner_sizes: np.ndarray,
    crop_size: tuple[int, int] | None = None,
    crops_per_image: int = 1,
    crops_per_visit: int = 1,
    batch_size: int = 1,
) -> np.ndarray:
    """Draws one epoch: every image `crops_per_image` times, in random order, at random positions.

    If the last batch would hold a single image, the epoch's first visit is repeated at its end:
    all images are seen, and no step rests on the statistics of one image.

    Args:
        rng: NumPy generator.
        inner_sizes: int array (images, 2): height and width of the real pixels in the frame.
        crop_size: (height, width) in pixels; None for whole images.
        crops_per_image: int. A multiple of `crops_per_visit`.
        crops_per_visit: int. Crops cut from an image each time it is loaded.
        batch_size: int.

    Returns:
        int32 (visits, 1 + 2 * crops_per_visit): index of the image, then top and left of each
        crop; (visits, 1) for whole images.
    """
    count = len(inner_sizes)
    if crop_size is None:
        plan = rng.permutation(count)[:, None]
        crops_per_visit = 1
    else:
        index = rng.permutation(np.repeat(np.arange(count), crops_per_image // crops_per_visit))
        # Crops lie on real pixels; an image smaller than a crop is cut at its corner.
        room = np.maximum(inner_sizes - np.asarray(crop_size), 0)[index]
        corners = rng.integers(0, room[:, None, :] + 1, (len(index), crops_per_visit, 2))
        plan = np.concatenate([index[:, None], corners.reshape(len(index), -1)], axis=1)
    if len(plan) > 1 and len(plan) * crops_per_visit % batch_size == 1:
        plan = np.concatenate([plan, plan[:1]])
    return plan.astype("int32")


def plan_grid(inner_sizes: np.ndarray, crop_size: tuple[int, int]) -> np.ndarray:
    """Covers the real pixels of every image with as few crops as possible, evenly spaced.

    Args:
        inner_sizes: int array (images, 2): height and width of the real pixels in the frame.
        crop_size: (height, width) in pixels.

    Returns:
        int32 (crops, 3): index of the image, top, left.
    """
    rows = []
    for index, size in enumerate(np.asarray(inner_sizes)):
        starts = [_spread(int(n), crop) for n, crop in zip(size, crop_size, strict=True)]
        rows += [(index, top, left) for top, left in itertools.product(*starts)]
    return np.array(rows, "int32").reshape(-1, 3)


def _spread(length, crop):
    count = max(1, -(-length // crop))
    return np.round(np.linspace(0, max(length - crop, 0), count)).astype(int).tolist()


def plan_windows(inner_sizes: np.ndarray, seed: int, stream: int = 0) -> np.ndarray:
    """Draws 16 windows of each image, half as high and wide as the image.

    Args:
        inner_sizes: int array (images, 2): height and width of the real pixels in the frame.
        seed: int.
        stream: int. Each number gives other windows under the same seed. Defaults to `0`.

    Returns:
        int32 (images * 16, 3): index of the image, top and left of a window.
    """
    rng = np.random.default_rng((seed, _WINDOW_STREAM, stream))
    inner_sizes = np.asarray(inner_sizes)
    room = inner_sizes - half_sizes(inner_sizes)
    corners = rng.integers(0, room[:, None, :] + 1, (len(inner_sizes), WINDOWS_PER_PHOTO, 2))
    index = np.repeat(np.arange(len(inner_sizes)), WINDOWS_PER_PHOTO)[:, None]
    return np.concatenate([index, corners.reshape(-1, 2)], axis=1).astype("int32")


def half_sizes(sizes: np.ndarray) -> np.ndarray:
    """Returns half of each size, rounded down, and at least one pixel."""
    return np.maximum(np.asarray(sizes) // 2, 1)
