"""How far the compressed stream of a PNG goes: decoders unpack all of it, and use the pixels."""

import struct
import zlib
from collections.abc import Iterator

# What Deflate makes of one byte at most.
EXPANSION = 1032
# Unpacked in about three seconds.
MOST_BEHIND_PIXELS = 10**9
# Encoders write chunks of 8 KB or more: 20,000 for the largest image.
MOST_CHUNKS = 2**18

_STEP = 2**18


def describe_long_stream(data: bytes, start: int, pixel_bytes: int) -> str | None:
    """Returns what is wrong if far more follows in the stream than the pixels, else None.

    A file of 10 MB may hold 10 GB of zeros behind them, which take half a minute. Only files that
    are large enough for it are unpacked here, and nothing is kept.

    Args:
        data: bytes. A PNG file.
        start: int. Where its first chunk of pixels begins.
        pixel_bytes: int. Bytes of its pixels, unpacked.
    """
    most = pixel_bytes + MOST_BEHIND_PIXELS
    if (len(data) - start) * EXPANSION <= most:
        return None
    stream, count = zlib.decompressobj(), 0
    for number, content in enumerate(_pixel_chunks(memoryview(data), start)):
        if number >= MOST_CHUNKS:
            return f"its pixels are in more than {MOST_CHUNKS} chunks"
        for place in range(0, len(content), _STEP):
            part = content[place : place + _STEP]
            while part and not stream.eof:
                try:
                    count += len(stream.decompress(part, _STEP))
                except zlib.error:  # broken: the decoder stops here too, and says so
                    return None
                if count > most:
                    return f"more than {most / 1e9:.2g} GB follow on its pixels, compressed"
                part = stream.unconsumed_tail
    return None


def _pixel_chunks(data: memoryview, start: int) -> Iterator[memoryview]:
    """Yields the contents of the chunks of pixels."""
    while start + 8 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, start)
        if kind != b"IDAT":
            return
        yield data[start + 8 : start + 8 + length]
        start += length + 12
