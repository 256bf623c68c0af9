"""From image files to pixels: the header is checked first, then one of two decoders runs.

- `settings`: `Decoding`, the white level, the limit on pixels and the rule of masks.
- `header`, `tiff_header`: format, size and depth from the first bytes of a file.
- `limits`: what else decoding may cost: bytes, scans, compressed texts, images at once.
- `png_stream`: what follows on the pixels of a PNG, which no limit on its bytes bounds.
- `graph`: the decoder in TensorFlow operations, which a SavedModel can hold; `graph_headers` and
  `numbers` are its way to read headers, `graph_stream` does there what `png_stream` does.
- `pillow`: the decoder for what TensorFlow cannot read; `tiff_kinds` says which TIFF files can be
  read, and `deep_tiff` reads those of 16-bit colours.
- `files`: from a path to pixels; what the rest of the package calls.
- `masks`: from a path to a mask. `foreground` has the rules, `mask_levels` tells classes from
  noise and soft edges.
"""

from kerasad.data.decoding.files import (
    decode_bytes,
    decode_file,
    decode_pixels,
    read_checked,
)
from kerasad.data.decoding.foreground import foreground
from kerasad.data.decoding.graph import decode_bytes_in_graph, scale_pixels
from kerasad.data.decoding.header import Header, read_header, weigh
from kerasad.data.decoding.limits import (
    check_header,
    hold_memory,
    most_at_once,
    most_bytes_of_any,
)
from kerasad.data.decoding.mask_levels import UnclearMaskError
from kerasad.data.decoding.masks import decode_mask, examine_mask
from kerasad.data.decoding.settings import PIXEL_LIMIT, Decoding

__all__ = [
    "PIXEL_LIMIT",
    "Decoding",
    "Header",
    "UnclearMaskError",
    "check_header",
    "decode_bytes",
    "decode_bytes_in_graph",
    "decode_file",
    "decode_mask",
    "decode_pixels",
    "examine_mask",
    "foreground",
    "hold_memory",
    "most_at_once",
    "most_bytes_of_any",
    "read_checked",
    "read_header",
    "scale_pixels",
    "weigh",
]
