"""How far the compressed stream of a PNG goes: decoders unpack all of it, and use the pixels.

In Python the stream is unpacked to know. A graph cannot do this without keeping all of it, so there
samples of the packed bytes have to do: what unpacks to a thousand times its size looks monotonous.
That finds the zeros of a plain bomb, and not one that is made to look like pixels.
"""

import struct
import zlib
from collections.abc import Iterator

# What Deflate makes of one byte at most.
EXPANSION = 1032
# Unpacked in about three seconds.
MOST_BEHIND_PIXELS = 10**9
# Encoders write chunks of 8 KB or more: 20,000 for the largest image.
MOST_CHUNKS = 2**18

# One for a quarter of a megabyte, which unpacks to 270 MB at most, and some more.
LEAST_SAMPLES, BYTES_PER_SAMPLE = 16, 2**18
SAMPLE_BYTES = 256
# Of 256 packed bytes of pixels, about 160 are different; at the largest expansion at most 16.
FEW_VALUES = 48
STORED_BITS = 6  # of the first block, at this place behind the chunk's start; 0 is not packed
FIRST_BLOCK = 10

_STEP = 2**18


def describe_long_stream(
    data: bytes,
    start: int,
    pixel_bytes: int,
    *,
    most_behind: int = MOST_BEHIND_PIXELS,
    most_chunks: int = MOST_CHUNKS,
) -> str | None:
    """Returns what is wrong if far more follows in the stream than the pixels, else None.

    A file of 10 MB may hold 10 GB of zeros behind them, which take half a minute. Only files that
    are large enough for it are unpacked here, and nothing is kept.

    Args:
        data: bytes. A PNG file.
        start: int. Where its first chunk of pixels begins.
        pixel_bytes: int. Bytes of its pixels, unpacked.
        most_behind: int. Bytes that may follow on them, unpacked.
        most_chunks: int. Chunks that its pixels may be in.
    """
    most = pixel_bytes + most_behind
    if (len(data) - start) * EXPANSION <= most:
        return None
    stream, count = zlib.decompressobj(), 0
    for number, content in enumerate(_pixel_chunks(memoryview(data), start)):
        if number >= most_chunks:
            return f"its pixels are in more than {most_chunks} chunks"
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
    return "its stream looks endless" if _is_monotonous(data, start, pixel_bytes, most) else None


def _is_monotonous(data: bytes, start: int, pixel_bytes: int, most: int) -> bool:
    """Returns what `graph_headers.is_monotonous` finds, so that both refuse the same files."""
    size = len(data) - start
    if size >= pixel_bytes and not data[start + FIRST_BLOCK] & STORED_BITS:
        return False
    samples = LEAST_SAMPLES + size // BYTES_PER_SAMPLE
    places = [start + (size - SAMPLE_BYTES) * i // (samples - 1) for i in range(samples)]
    found = sum(len(set(data[i : i + SAMPLE_BYTES])) <= FEW_VALUES for i in places)
    return found * size * EXPANSION > samples * most


def _pixel_chunks(data: memoryview, start: int) -> Iterator[memoryview]:
    """Yields the contents of the chunks of pixels."""
    while start + 8 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, start)
        if kind != b"IDAT":
            return
        yield data[start + 8 : start + 8 + length]
        start += length + 12
