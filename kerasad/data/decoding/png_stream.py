"""How far the compressed stream of a PNG goes: decoders unpack all of it, and use the pixels.

A file of 10 MB may hold 10 GB of zeros behind its pixels, which take half a minute. No encoder
writes anything there. So all but the last part of a stream must not hold all pixels: what unpacks
behind them is then bounded by what Deflate can make of that part. Only files that are larger than
the part are unpacked to know; `graph_stream.py` does the same in TensorFlow.
"""

import struct
import zlib
from collections.abc import Iterator

# What Deflate makes of one byte at most.
EXPANSION = 1032
# Bytes of the stream that may follow on the pixels: they unpack to 0.8 GB, in about three seconds.
MOST_BEHIND_PIXELS = 3 * 2**18
# Encoders write chunks of 8 KB or more; each costs time, even an empty one.
LEAST_PER_CHUNK = 512

_STEP = 2**18


def describe_long_stream(data: bytes, start: int, most_unpacked: int) -> str | None:
    """Returns what is wrong if far more follows in the stream than the pixels, else None.

    Args:
        data: bytes. A PNG file.
        start: int. Where its first chunk of pixels begins.
        most_unpacked: int. Bytes of its pixels, unpacked; more is allowed, and less is not.
    """
    if len(data) - start <= MOST_BEHIND_PIXELS:
        return None
    chunks = []
    for content in _pixel_chunks(memoryview(data), start):
        chunks.append(content)
        if len(chunks) > (len(data) - start) // LEAST_PER_CHUNK:
            return f"its pixels are in chunks of less than {LEAST_PER_CHUNK} bytes"
    left, count = sum(map(len, chunks)) - MOST_BEHIND_PIXELS, 0
    stream = zlib.decompressobj()
    for content in chunks:
        for place in range(0, min(len(content), max(left, 0)), _STEP):
            part = content[place : min(place + _STEP, left)]
            while part and not stream.eof:
                try:
                    count += len(stream.decompress(part, _STEP))
                except zlib.error:  # broken: the decoder stops here too, and says so
                    return None
                if count >= most_unpacked:
                    return f"more than {MOST_BEHIND_PIXELS} bytes follow on its pixels, compressed"
                part = stream.unconsumed_tail
        left -= len(content)
    return None


def _pixel_chunks(data: memoryview, start: int) -> Iterator[memoryview]:
    """Yields the contents of the chunks of pixels."""
    while start + 8 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, start)
        if kind != b"IDAT":
            return
        yield data[start + 8 : start + 8 + length]
        start += length + 12
