"""The image files of a folder: which there are, what each is, and what is wrong with the rest."""

import dataclasses
import hashlib
import os
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kerasad.data.decoding import (
    Decoding,
    decode_mask,
    decode_pixels,
    hold_memory,
    read_checked,
    weigh,
)
from kerasad.data.problems import Problem
from kerasad.errors import InputError

IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff"})
# Image formats that are not supported: they are reported, not skipped silently.
_OTHER_SUFFIXES = frozenset(
    (".webp", ".gif", ".jp2", ".j2k", ".jxl", ".heic", ".heif", ".avif", ".ppm", ".pgm", ".pbm")
    + (".pnm", ".tga", ".exr", ".hdr", ".svg", ".psd", ".dng", ".raw", ".ico", ".jfif", ".dib")
    + (".cr2", ".cr3", ".nef", ".arw", ".orf", ".rw2", ".raf", ".dcm", ".npy", ".npz")
)

# Folders of systems and archive programs; the pictures inside are previews, or were deleted.
_SYSTEM_FOLDERS = frozenset(
    ("__macosx", "@eadir", "$recycle.bin", "recycler", "system volume information", "lost+found")
)

_BAD_NAME = "its name is not valid UTF-8; rename the file."


@dataclass(frozen=True)
class FoundImage:
    """An image file as a layout lists it, before it is read.

    Args:
        path: Path. The file.
        defect: str or None. `"good"`, or the kind of defect; None if nothing says which.
        masks: tuple of Path. The masks of its defects; their union counts.
        part: `"train"`, `"validation"` or `"test"`, as the data set or its user split it. None
            leaves the split to kerasad.
        group: str or None. Images of one group, such as views of one item, stay in one part.
        by_position: bool. Whether it is taken as defective only because its folder lies beside one
            of good images.
        is_assumed: bool. Whether it is taken as good only because nothing says otherwise.
    """

    path: Path
    defect: str | None = "good"
    masks: tuple[Path, ...] = ()
    part: str | None = None
    group: str | None = None
    by_position: bool = False
    is_assumed: bool = False


@dataclass(frozen=True)
class ImageRecord:
    """One usable image. It may be passed wherever a path is accepted.

    Args:
        path: str. Absolute path.
        relative_path: str. Path below the data folder, with forward slashes.
        label: int. 0 good, 1 defective.
        defect: str. `"good"`, or the kind of defect.
        mask_paths: tuple of str. Absolute paths of the usable masks of its defects; a pixel is
            defective if one of them marks it.
        height: int. Pixels, after the Exif orientation is applied.
        width: int. Pixels, after the Exif orientation is applied.
        content_hash: str. SHA-256 of the file's bytes, hexadecimal.
        decoder: str. `"graph"`, `"pillow"` or `"deep_tiff"`; see `kerasad.data.decoding`.
        bits: int. Bits per channel in the file, at least 8.
        brightest: int or None. The largest value of an image of more than 8 bits, if it was
            decoded.
        part: str or None. See `FoundImage`, also for `group` and `by_position`.
        group: str or None.
        by_position: bool.
    """

    path: str
    relative_path: str
    label: int
    defect: str
    height: int
    width: int
    content_hash: str
    decoder: str
    bits: int = 8
    brightest: int | None = None
    mask_paths: tuple[str, ...] = ()
    part: str | None = None
    group: str | None = None
    by_position: bool = False

    def __fspath__(self) -> str:
        return self.path

    @property
    def weight(self) -> int:
        """What the limit on pixels counts, see `kerasad.data.decoding.Header`."""
        return weigh(self.height, self.width, self.bits)


class ImageReader:
    """Reads the images of one data set and collects the problems.

    Args:
        root: Path. The folder that relative paths start from.
        decoding: `Decoding`.
        verify: bool. Decode each file once, so that a broken one is found now and not during
            training. Otherwise only headers are read, and a truncated file goes unnoticed.

    Attributes:
        problems: list of `Problem`.
    """

    def __init__(self, root: Path, decoding: Decoding = Decoding(), verify: bool = True):
        self.root = root
        self.decoding = decoding
        self.verify = verify
        self.problems: list[Problem] = []

    def remark(self, path: str | os.PathLike, message: str, broken: bool = False) -> None:
        """Adds a `Problem` whose message begins with the path."""
        name = os.fspath(path)
        self.problems.append(Problem(name, f"{name}: {message}", broken))

    def list_images(
        self, folder: Path, recursive: bool = False, elsewhere: Collection[str] = ()
    ) -> list[Path]:
        """Lists the image files of a folder by their suffix, sorted by name.

        Names that begin with a dot, and folders of the system, are ignored. Links to folders are
        followed, each folder once, so a loop of links ends.

        Args:
            folder: The folder.
            recursive: bool. Also search the folders inside. Only images of unsupported types are
                then problems; otherwise everything that is not an image is.
            elsewhere: Names directly in the folder that are read in another way.

        Raises:
            InputError: If the folder itself cannot be read.
        """
        try:
            entries = [
                entry
                for entry in _walk(folder, recursive)
                if entry.parent != folder or entry.name not in elsewhere
            ]
        except OSError as error:
            raise InputError(f"{folder}: the folder cannot be read ({error.strerror}).") from error
        paths = []
        for entry in sorted(entries, key=lambda entry: entry.as_posix()):
            problem = _check_entry(entry, recursive)
            if problem is not None:
                self.problems.append(problem)
            elif entry.suffix.lower() in IMAGE_SUFFIXES:
                paths.append(entry)
        return paths

    def is_mask_empty(self, path: Path) -> bool:
        """Returns whether a mask marks nothing, for data sets in which only masks tell the label.

        Raises:
            InputError: If the file cannot be used.
        """
        return not decode_mask(path, self.decoding).any()

    def holds_image(self, folder: Path, ignored: Callable[[Path], bool]) -> bool:
        """Returns whether an image is inside, of any type; stops at the first one."""
        return any(
            _check_entry(entry, True) is not None
            or (entry.suffix.lower() in IMAGE_SUFFIXES and not ignored(entry))
            for entry in _walk(folder, True)
        )

    def list_folder(self, folder: Path) -> tuple[list[Path], list[Path]]:
        """Lists the image files and the folders directly inside a folder, sorted by name.

        Names that begin with a dot, and folders of the system, are ignored; images of unsupported
        types are problems.

        Raises:
            InputError: If the data set's own folder cannot be read.
        """
        try:
            entries = sorted(folder / name for name in os.listdir(folder) if not is_hidden(name))
        except OSError as error:
            if folder == self.root:
                message = f"{folder}: the folder cannot be read ({error.strerror})."
                raise InputError(message) from error
            self.remark(folder, "the folder cannot be read.", broken=True)
            return [], []
        images, folders = [], []
        for entry in entries:
            is_image = entry.suffix.lower() in IMAGE_SUFFIXES
            if not is_image and os.path.isdir(entry):
                folders.append(entry)
            elif (problem := _check_entry(entry, recursive=True)) is not None:
                self.problems.append(problem)
            elif is_image:
                images.append(entry)
        return images, folders

    def read(self, images: Sequence[FoundImage]) -> list[ImageRecord]:
        """Reads image files, in parallel; a file that cannot be used becomes a problem.

        Masks are for `attach_masks`.
        """

        def read_one(image):
            try:
                record = read_record(image.path, self.root, self.decoding, self.verify)
            except InputError as error:
                return Problem(printable(image.path), str(error))
            label = int(image.defect != "good")
            names = ("defect", "part", "group", "by_position")
            about = {name: value for name, value in vars(image).items() if name in names}
            return dataclasses.replace(record, label=label, **about)

        # Reading, hashing and decoding all release Python's lock.
        with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
            results = list(pool.map(read_one, images))
        self.problems += [result for result in results if isinstance(result, Problem)]
        return [result for result in results if isinstance(result, ImageRecord)]


def read_record(
    path: str | os.PathLike,
    root: str | os.PathLike | None = None,
    decoding: Decoding = Decoding(),
    verify: bool = True,
) -> ImageRecord:
    """Reads one image file.

    Args:
        path: The file.
        root: The folder that `relative_path` starts from. Defaults to the file's own folder.
        decoding: `Decoding`.
        verify: bool. Decode it once, so that a broken file is found now; takes about 5 ms for 384 x
            384 pixels. Defaults to `True`.

    Returns:
        Its `ImageRecord`, labelled good, without a mask.

    Raises:
        InputError: If the file cannot be used; the message names it.
    """
    path = Path(os.path.abspath(path))
    if printable(path) != str(path):
        raise InputError(f"{printable(path)}: {_BAD_NAME}")
    data, header = read_checked(path, decoding)
    brightest = None
    if verify:
        with hold_memory(header):
            pixels = decode_pixels(data, header, str(path), decoding)
        brightest = int(pixels.max()) if pixels.dtype == np.uint16 else None
    return ImageRecord(
        path=str(path),
        relative_path=relative_path(path, path.parent if root is None else Path(root)),
        label=0,
        defect="good",
        height=header.height,
        width=header.width,
        content_hash=hashlib.sha256(data).hexdigest(),
        decoder=header.decoder,
        bits=header.bits,
        brightest=brightest,
    )


def printable(path: Path) -> str:
    """Returns a path as text; bytes that are not valid UTF-8 are written as `\\udcff`."""
    return str(path).encode(errors="backslashreplace").decode()


def subfolders(folder: Path) -> list[Path]:
    """Returns the folders directly inside a folder, sorted by name; none if it does not exist."""
    if not folder.is_dir():
        return []
    entries = [entry for entry in folder.iterdir() if not is_hidden(entry.name)]
    return sorted(entry for entry in entries if entry.is_dir())


def is_hidden(name: str) -> bool:
    """Returns whether a name begins with a dot, or is that of a folder of the system."""
    return name.startswith(".") or name.lower() in _SYSTEM_FOLDERS


def relative_path(path: Path, root: Path) -> str:
    """Returns a path below a folder; a list may name images elsewhere, with `..` or in full."""
    try:
        return Path(os.path.relpath(path, root)).as_posix()
    except ValueError:  # another drive
        return path.as_posix()


def _walk(top: Path, recursive: bool) -> Iterator[Path]:
    """Yields all entries that are not hidden; of folders only those that are not searched."""
    waiting, seen = [top], set()
    while waiting:
        folder = waiting.pop()
        try:
            status = os.stat(folder)
            if (status.st_dev, status.st_ino) in seen:
                continue
            seen.add((status.st_dev, status.st_ino))
            names = sorted(os.listdir(folder))
        except OSError:
            if folder == top:
                raise
            yield folder
            continue
        for name in names:
            path = folder / name
            if is_hidden(name):
                continue
            if recursive and path.suffix.lower() not in IMAGE_SUFFIXES and os.path.isdir(path):
                waiting.append(path)
            else:
                yield path


def _check_entry(path: Path, recursive: bool) -> Problem | None:
    """Returns what is wrong with an entry before it is opened, if anything."""
    suffix = path.suffix.lower()
    name = printable(path)
    if name != str(path):
        return Problem(name, f"{name}: {_BAD_NAME}")
    if os.path.isdir(path):
        if suffix in IMAGE_SUFFIXES:
            return Problem(name, f"{name}: this is a folder, not an image; rename it.")
        if recursive:
            return Problem(name, f"{name}: the folder cannot be read.")
        return Problem(name, f"{name}: folders inside a class are not read.", broken=False)
    if suffix in _OTHER_SUFFIXES:
        kinds = "PNG, JPEG, BMP or TIFF"
        return Problem(name, f"{name}: {suffix} images cannot be read; convert it to {kinds}.")
    if suffix not in IMAGE_SUFFIXES and not recursive:
        return Problem(name, f"{name}: this is not an image.", broken=False)
    return None
