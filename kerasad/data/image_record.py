"""One image file, looked at: what the rest of the package knows of it."""

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kerasad.data.decoding import Decoding, decode_pixels, read_checked


@dataclass(frozen=True)
class ImageRecord:
    """One usable image. It may be given wherever a path is asked for.

    Args:
        path: str. Absolute path.
        relative_path: str. Path below the data folder, with forward slashes.
        label: int. 0 good, 1 defective.
        defect: str. `"good"`, or the name of the defect's folder.
        mask_path: str or None. Absolute path of the mask of its defects, if there is a usable one.
        height: int. Pixels, as the image is shown (after its Exif orientation).
        width: int. Pixels, as the image is shown.
        content_hash: str. SHA-256 of the file's bytes, hexadecimal.
        decoder: str. `"graph"` or `"pillow"`; see `kerasad.data.decoding`.
    """

    path: str
    relative_path: str
    label: int
    defect: str
    mask_path: str | None
    height: int
    width: int
    content_hash: str
    decoder: str

    def __fspath__(self) -> str:
        return self.path


@dataclass(frozen=True)
class Problem:
    """Something about a file or folder that its owner should know.

    Args:
        path: str. The file or folder.
        message: str. One sentence, which names the path.
        broken: bool. Whether an image or a mask couldn't be used because of it. This is what
            `on_bad="raise"` refuses; the others are only told.
    """

    path: str
    message: str
    broken: bool = True


def format_problems(problems: Sequence[Problem], limit: int = 20) -> str:
    """Says what is wrong with a data set, to be printed: a count, then a line each.

    Args:
        problems: Sequence of `Problem`.
        limit: int. How many are spelled out, broken files first. Defaults to `20`.

    Returns:
        Lines of text; empty if there is no problem.
    """
    if not problems:
        return ""
    broken = [problem for problem in problems if problem.broken]
    others = [problem for problem in problems if not problem.broken]
    lines = [f"files that can't be used: {len(broken)}, other remarks: {len(others)}"]
    lines += [f"  {problem.message}" for problem in (broken + others)[:limit]]
    if len(problems) > limit:
        lines.append(f"  ... and {len(problems) - limit} more")
    return "\n".join(lines)


def read_record(
    path: str | os.PathLike,
    root: str | os.PathLike | None = None,
    *,
    defect: str = "good",
    decoding: Decoding = Decoding(),
    verify: bool = True,
) -> ImageRecord:
    """Looks at one image file.

    Args:
        path: The file.
        root: The folder that `relative_path` starts from. Defaults to the file's own folder.
        defect: str. Name of its class; any but `"good"` is labelled 1.
        decoding: `Decoding`.
        verify: bool. Decode it once, so that a broken file is found now; takes about 5 ms for 384 x
            384 pixels. Defaults to `True`.

    Returns:
        Its `ImageRecord`, without a mask.

    Raises:
        InputError: If the file can't be used; the message names it.
    """
    return inspect_image(path, root, defect, decoding, verify)[0]


def inspect_image(path, root, defect, decoding, verify) -> tuple[ImageRecord, int | None]:
    """As `read_record`; returns also the brightest value of a 16-bit image that was decoded."""
    path = Path(os.path.abspath(path))
    data, header = read_checked(path, decoding)
    brightest = None
    if verify:
        pixels = decode_pixels(data, header, str(path), decoding)
        brightest = int(pixels.max()) if pixels.dtype == np.uint16 else None
    record = ImageRecord(
        path=str(path),
        relative_path=path.relative_to(path.parent if root is None else root).as_posix(),
        label=int(defect != "good"),
        defect=defect,
        mask_path=None,
        height=header.height,
        width=header.width,
        content_hash=hashlib.sha256(data).hexdigest(),
        decoder=header.decoder,
    )
    return record, brightest
