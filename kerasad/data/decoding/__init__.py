"""From image files to pixels: the header is checked first, then one of two decoders runs.

- `settings`: `Decoding`, the white level and the limits.
- `header`, `tiff_header`: format, size and depth from the first bytes of a file.
- `graph`: the decoder in TensorFlow operations, which a SavedModel can hold.
- `pillow`: the decoder for what TensorFlow cannot read.
- `files`: from a path to pixels or to a mask; what the rest of the package calls.
"""

from kerasad.data.decoding.files import (
    decode_bytes,
    decode_file,
    decode_mask,
    decode_pixels,
    read_checked,
)
from kerasad.data.decoding.graph import decode_bytes_in_graph
from kerasad.data.decoding.header import Header, check_header, read_header
from kerasad.data.decoding.settings import PIXEL_LIMIT, Decoding

__all__ = [
    "PIXEL_LIMIT",
    "Decoding",
    "Header",
    "check_header",
    "decode_bytes",
    "decode_bytes_in_graph",
    "decode_file",
    "decode_mask",
    "decode_pixels",
    "read_checked",
    "read_header",
]
