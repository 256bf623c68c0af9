"""Manifests of Amazon Lookout for Vision, for files that were downloaded.

Each line is a JSON object:

- `source-ref`: the image, such as `s3://BUCKET/photos/1.png`. It is looked for at `photos/1.png`,
  then at `1.png`, in the folder of the manifest and in the folder around it.
- `anomaly-label-metadata`, or another key that ends in `-metadata`: its `class-name` is `normal` or
  `anomaly`; any other word means that nobody has labelled the image.
- `anomaly-mask-ref`, or another key that ends in `-ref`: the mask of an anomaly, on white.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kerasad.data.image_files import FoundImage, ImageReader
from kerasad.data.layouts.base import Layout
from kerasad.data.layouts.json_lines import read_objects
from kerasad.data.layouts.manifest import ManifestLine, find_images, refusal

_SOURCE = "source-ref"
_METADATA = "-metadata"
_SUFFIXES = frozenset({".manifest", ".jsonl"})
_LABELS = {"normal": "good", "anomaly": "anomaly"}
_BUCKET = re.compile(r"s3://[^/]+/")
# The first line is longer with many colours, but the key stands in front in all known files.
_BYTES_LOOKED_AT = 65536


class Lookout(Layout):
    """See the module."""

    name = "lookout"

    def recognizes(self, root: Path) -> bool:
        """Returns whether it is a file of JSON lines that begins with a `source-ref`."""
        if root.suffix.lower() not in _SUFFIXES or not root.is_file():
            return False
        try:
            with open(root, "rb") as file:
                start = file.read(_BYTES_LOOKED_AT)
        except OSError:
            return False
        return f'"{_SOURCE}"'.encode() in start.strip().split(b"\n")[0]

    def find(self, root: Path, reader: ImageReader) -> list[FoundImage]:
        """Lists the images of the manifest.

        Raises:
            InputError: If a line is not understood, or names a file that is not here.
        """
        return find_images(root, _read_lines(root), reader)


def _read_lines(manifest: Path) -> Iterator[ManifestLine]:
    for number, values in read_objects(manifest):
        if _SOURCE not in values:
            raise refusal(manifest, number, f"there is no key {_SOURCE!r}; name the image there")
        label = _read_label(manifest, number, values)
        masks = [
            values[key.removesuffix(_METADATA)]
            for key in values
            if key.endswith(f"-ref{_METADATA}") and key.removesuffix(_METADATA) in values
        ]
        yield ManifestLine(
            manifest,
            number,
            _find_local(manifest, number, values[_SOURCE]),
            label,
            # That of a normal image is all white.
            tuple(_find_local(manifest, number, mask) for mask in masks)
            if label not in (None, "good")
            else (),
        )


def _read_label(manifest: Path, number: int, values: dict[str, Any]) -> str | None:
    """Returns the label by the class name; the number beside it does not count."""
    names = [
        value["class-name"]
        for key, value in values.items()
        if key.endswith(_METADATA) and isinstance(value, dict) and "class-name" in value
    ]
    if len(names) != 1:
        raise refusal(
            manifest,
            number,
            f"{len(names)} class names; write one, normal or anomaly, into anomaly-label-metadata",
        )
    return _LABELS.get(str(names[0]).strip().lower())


def _find_local(manifest: Path, number: int, reference: Any) -> str:
    """Returns the path of the file that a reference names, as `ManifestLine` takes it."""
    text = str(reference)
    inner = _BUCKET.sub("", text, count=1).strip("/") if _BUCKET.match(text) else text
    parts = Path(inner).parts
    for start in range(len(parts)):
        for folder in (manifest.parent, manifest.parent.parent):
            path = folder.joinpath(*parts[start:])
            if path.is_file():
                return str(path)
    raise refusal(
        manifest,
        number,
        f"the file of {text} is not here; download it into the folder of the manifest, as {inner}",
    )
