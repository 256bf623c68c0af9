"""Which TIFF files can be read: their depth, colours, compression and the place of their pixels."""

from kerasad.data.decoding import tiff_header as tags
from kerasad.data.decoding.tiff_header import Directory

_NAMES = {
    **{1: "none", 2: "CCITT", 3: "CCITT T.4", 4: "CCITT T.6", 5: "LZW", 6: "old JPEG", 7: "JPEG"},
    **{8: "deflate", 32773: "PackBits", 32946: "deflate", 33003: "JPEG 2000", 33005: "JPEG 2000"},
    **{34712: "JPEG 2000", 34887: "LERC", 34892: "lossy DNG JPEG", 34925: "LZMA", 50000: "Zstd"},
    **{50001: "WebP", 50002: "JPEG XL", 52546: "JPEG XL", 34933: "PNG", 34934: "JPEG XR"},
}
JPEG = 7
_READABLE = (1, 2, 3, 4, 5, 7, 8, 32773, 32946)
_DEEP_READABLE = (1, 5, 8, 32773, 32946)  # those that know bytes only
_COLOURS = {3: "palette", 4: "mask", 5: "CMYK", 6: "YCbCr", 8: "CIE L*a*b*", 9: "ICC L*a*b*"}
_DEEP = 16
# Tiles and strips of the last row and column may reach over the edge.
_SPARE_PIXELS = 2**22


class UnreadableError(Exception):
    """The reason why a TIFF is of a kind that cannot be read."""


def check_kind(directory: Directory, height: int, width: int, size: int) -> tuple[int, str]:
    """Refuses a TIFF that cannot be read rightly.

    Args:
        directory: Its first directory.
        height: int. Pixels as stored.
        width: int. Pixels as stored.
        size: int. Bytes of the file.

    Returns:
        (bits, decoder): bits per channel, and `"pillow"`, or `"deep_tiff"` for 16-bit colour, of
        which Pillow keeps 8 bits.

    Raises:
        UnreadableError: The reason, without the name of the file.
    """
    depths = set(directory.values.get(tags.BITS, (1,)))
    if len(depths) > 1:
        raise UnreadableError(
            f"its channels have different bits, {sorted(depths)}; save them alike"
        )
    (bits,) = depths
    if max(directory.values.get(tags.SAMPLE_FORMAT, (1,))) not in (1, 4):  # unsigned, or not said
        raise UnreadableError(
            "its pixels are signed or floating-point numbers; save unsigned integers"
        )
    if bits not in (1, 2, 4, 8, 12, 16):
        raise UnreadableError(f"it has {bits} bits per channel; save it with 8 or 16")
    if bits > 8 and directory.first(tags.PHOTOMETRIC, 1) == 0:
        raise UnreadableError(f"0 is white in its {bits}-bit pixels; save it with 0 as black")
    channels = directory.first(tags.CHANNELS, 1)
    if channels > 5:
        raise UnreadableError(f"it has {channels} channels; save grey or RGB")
    if bits == 12 and (channels > 1 or directory.order != "<"):
        raise UnreadableError("it has 12 bits per channel; save it with 8 or 16")
    is_deep = bits == _DEEP and channels > 1
    _check_compression(directory.first(tags.COMPRESSION, 1), is_deep)
    if is_deep:
        _check_deep_colours(directory, channels)
    _check_places(directory, height, width, size)
    return bits, "deep_tiff" if is_deep else "pillow"


def count_parts(directory: Directory) -> int:
    """Returns the number of strips or tiles."""
    return max(len(directory.values.get(tag, ())) for tag in (tags.STRIP_BYTES, tags.TILE_BYTES))


def _check_compression(compression, is_deep):
    if compression not in (_DEEP_READABLE if is_deep else _READABLE):
        name = _NAMES.get(compression, f"number {compression}")
        of = " of 16-bit colours" if is_deep else ""
        raise UnreadableError(f"its compression{of} is {name}; save it with LZW, deflate or none")


def _check_deep_colours(directory, channels):
    colours = directory.first(tags.PHOTOMETRIC, 1)
    if (colours, channels) not in ((1, 2), (2, 3), (2, 4)):
        name = {1: "grey", 2: "RGB"}.get(colours, _COLOURS.get(colours, f"number {colours}"))
        raise UnreadableError(f"its {channels} channels of 16 bits are {name}; save grey or RGB")
    if directory.first(tags.EXTRA_CHANNELS, 0) == 1:
        raise UnreadableError("its 16-bit colours are multiplied by alpha; save it without alpha")
    if directory.first(tags.FILL_ORDER, 1) != 1:
        raise UnreadableError("the bits of its bytes are reversed; save it again")
    if directory.first(tags.PREDICTOR, 1) not in (1, 2):
        raise UnreadableError("its predictor is for floating-point numbers; save it again")


def _check_places(directory, height, width, size):
    """Bounds what is read and decoded: tiles far larger than the image, strips read many times."""
    rows, columns = (directory.first(tag, 0) for tag in (tags.TILE_ROWS, tags.TILE_WIDTH))
    names = (tags.STRIP_OFFSETS, tags.STRIP_BYTES)
    if rows or columns:
        names = (tags.TILE_OFFSETS, tags.TILE_BYTES)
        covered = _round_up(height, max(rows, 1)) * _round_up(width, max(columns, 1))
        if not (rows and columns) or covered > 4 * height * width + _SPARE_PIXELS:
            raise UnreadableError(f"its tiles of {columns} x {rows} pixels do not fit the image")
    offsets, counts = (directory.values.get(name, ()) for name in names)
    if len(offsets) != len(counts) or not counts:
        raise ValueError("its strips have no length")
    if sum(counts) > 2 * size:
        raise UnreadableError("its strips overlap and have more bytes than the file")
    if max(map(sum, zip(offsets, counts, strict=True))) > size:
        raise ValueError("it ends too early")
    if directory.first(tags.COMPRESSION, 1) == 1:
        # Nobody else notices if they are too short: the bytes behind them would be taken.
        line = -(-width * directory.first(tags.BITS, 1) * directory.first(tags.CHANNELS, 1) // 8)
        if sum(counts) < height * line:
            raise ValueError("its strips are too short")


def _round_up(side, part):
    return -(-side // part) * part
