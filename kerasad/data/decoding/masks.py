"""From a file to a mask of defects: the pixels as stored, and the rule that reads them."""

import dataclasses
import os

import numpy as np

from kerasad.data.decoding.files import decode_pixels, read_checked
from kerasad.data.decoding.foreground import describe_doubt, foreground, is_by_number
from kerasad.data.decoding.header import Header
from kerasad.data.decoding.limits import hold_memory
from kerasad.data.decoding.mask_levels import NOISE, UnclearMaskError, count_levels
from kerasad.data.decoding.pillow import open_with_pillow
from kerasad.data.decoding.settings import Decoding
from kerasad.errors import InputError


def decode_mask(path: str | os.PathLike, decoding: Decoding = Decoding()) -> np.ndarray:
    """Decodes a mask of defects.

    Args:
        path: str or path of the mask.
        decoding: `Decoding`. Its `mask_foreground` says which pixels are defects; its `max_value`
            is that of the images and does not apply to masks.

    Returns:
        float32 (height, width, 1) of 0 and 1.

    Raises:
        InputError: If the file cannot be used, or may be understood in more than one way; the
            message names it.
    """
    try:
        marked, _ = examine_mask(path, decoding)
    except UnclearMaskError as error:
        raise InputError(f"{os.fspath(path)}: {error}") from error
    return marked[..., None].astype(np.float32)


def examine_mask(
    path: str | os.PathLike, decoding: Decoding = Decoding()
) -> tuple[np.ndarray, str | None]:
    """Decodes a mask, and tells what is doubtful about it.

    Args:
        path: str or path of the mask.
        decoding: `Decoding`.

    Returns:
        (marked, doubt): bool (height, width), and a remark without the path, or None.

    Raises:
        UnclearMaskError: If it can be understood in more than one way; without the path.
        InputError: If the file cannot be used; with the path.
    """
    data, header = read_checked(path, decoding)
    with hold_memory(header):
        pixels = read_mask_pixels(data, header, os.fspath(path), decoding)
        marked = foreground(pixels, decoding.mask_foreground)
        is_guessed = decoding.mask_foreground == "auto"
        return marked, describe_doubt(pixels, marked) if is_guessed else None


def read_mask_pixels(data: bytes, header: Header, name: str, decoding: Decoding) -> np.ndarray:
    """Reads the pixels of a mask as `foreground` takes them.

    Args:
        data: bytes. A whole image file.
        header: Its `Header`, which was checked.
        name: str. The file, for messages.
        decoding: `Decoding`.

    Returns:
        uint8 or uint16 (height, width, 1, 3 or 4). Of a palette, the indices if the rule asks for
        numbers, else the colours.

    Raises:
        UnclearMaskError: If a palette shows several numbers as one colour, and the rule is `auto`.
        InputError: If the file cannot be used.
    """
    pixels = decode_pixels(data, header, name, dataclasses.replace(decoding, max_value=None))
    if header.format == "jpeg":
        return _clean(pixels)
    indices, alpha = _read_extra(data, header, name)
    if indices is not None:
        if is_by_number(decoding.mask_foreground):
            return indices[..., None]
        if decoding.mask_foreground == "auto" and _hides_numbers(indices, pixels):
            raise UnclearMaskError(
                "palette",
                "its palette shows several of its numbers in one colour; set `mask_foreground` to "
                "nonzero (each number above 0 is a defect) or to the numbers of defects.",
            )
    if alpha is not None:
        if pixels.dtype != np.uint8:
            alpha = alpha.astype(pixels.dtype) * 257
        pixels = np.concatenate([pixels, alpha[..., None]], axis=-1)
    return pixels


def _clean(pixels: np.ndarray) -> np.ndarray:
    """Returns the pixels of a lossy file without the noise around black and white."""
    noise, clean = int(NOISE * 255), np.empty_like(pixels)
    for row, values in enumerate(pixels):  # all at once take four times the memory
        values = np.where(values <= noise, 0, values)
        clean[row] = np.where(values >= 255 - noise, 255, values)
    return clean


def _read_extra(
    data: bytes, header: Header, name: str
) -> tuple[np.ndarray | None, np.ndarray | None]:
    """Returns what `decode_pixels` drops: the indices of a palette, and alpha; None if none."""
    from PIL import ImageOps

    try:
        image = open_with_pillow(data, header)
        has_palette, has_alpha = image.mode == "P", image.has_transparency_data
        if not has_palette and not has_alpha:
            return None, None
        image.load()
        ImageOps.exif_transpose(image, in_place=True)
        indices = np.asarray(image) if has_palette else None
        alpha = _read_alpha(image) if has_alpha else None
    except Exception as error:  # a broken file may raise nearly anything in Pillow
        raise InputError(
            f"{name}: its palette or alpha channel is broken ({error}); save the mask again."
        ) from error
    for extra in (indices, alpha):
        if extra is not None and extra.shape != (header.height, header.width):
            raise InputError(f"{name}: two sizes in it; save the mask again.")
    return indices, alpha


def _read_alpha(image) -> np.ndarray:
    """Returns the alpha channel of a Pillow image, uint8 (height, width)."""
    if image.mode not in ("RGBA", "LA", "PA"):  # a transparent colour or number
        image = image.convert("RGBA")
    return np.asarray(image.getchannel("A"))


def _hides_numbers(indices: np.ndarray, pixels: np.ndarray) -> bool:
    """Returns whether two numbers of a palette that the mask uses have one colour."""
    colours = np.zeros((256, pixels.shape[-1]), pixels.dtype)
    colours[indices] = pixels
    used = np.flatnonzero(count_levels(indices))
    return len(np.unique(colours[used], axis=0)) < used.size
