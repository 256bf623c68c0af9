"""What follows on the pixels of a PNG: refused where it would cost more than they do."""

import io
import struct
import zlib

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from kerasad.data.decoding import (
    decode_bytes,
    decode_file,
    decode_mask,
    read_header,
)
from kerasad.data.decoding.png_stream import (
    LEAST_PER_CHUNK,
    MOST_BEHIND_PIXELS,
    describe_long_stream,
)
from kerasad.data.image_files import read_record
from kerasad.errors import InputError

SIDE = 640
NOISE = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE, 3), "uint8")
FLAT = np.zeros_like(NOISE)


def chunk(kind, content):
    check = struct.pack(">I", zlib.crc32(kind + content))
    return struct.pack(">I", len(content)) + kind + content + check


def pack(image, level=6, strategy=zlib.Z_DEFAULT_STRATEGY, behind=b""):
    """The stream of an image, and of bytes that follow on its pixels."""
    packer = zlib.compressobj(level, strategy=strategy)
    rows = b"".join(b"\0" + row.tobytes() for row in image)
    return packer.compress(rows + behind) + packer.flush()


def wrap(stream, step=2**16, empty=0, side=SIDE):
    """A PNG with this stream in chunks of `step` bytes, and `empty` more without content."""
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    chunks = [chunk(b"IDAT", stream[i : i + step]) for i in range(0, len(stream), step)]
    parts = [chunk(b"IHDR", header), *chunks, chunk(b"IDAT", b"") * empty, chunk(b"IEND", b"")]
    return b"".join([b"\x89PNG\r\n\x1a\n", *parts])


def junk(size):
    return np.random.default_rng(1).bytes(size)


def far_behind(kind):
    """A PNG in whose stream far more follows than the pixels."""
    if kind == "noise behind noise":
        return wrap(pack(NOISE // 32, behind=junk(MOST_BEHIND_PIXELS + 10_000)))
    if kind == "noise between zeros":  # zeros unpack to a thousand times their size
        parts = np.zeros((12_000, 3000), "uint8")
        parts[:, :72] = np.frombuffer(junk(12_000 * 72), "uint8").reshape(12_000, 72)
        return wrap(pack(FLAT, 1, behind=parts.tobytes()))
    step = 1000 if kind == "noise in small chunks" else 2**16
    return wrap(pack(FLAT, behind=junk(MOST_BEHIND_PIXELS + 100_000)), step)


@pytest.mark.parametrize(
    "kind", ["noise", "noise in small chunks", "noise between zeros", "noise behind noise"]
)
def test_a_stream_that_goes_on_is_refused_in_the_graph_as_outside(kind, in_graph):
    data = far_behind(kind)
    with pytest.raises(InputError, match="bytes follow on its pixels"):
        decode_bytes(data, read_header(data))
    with pytest.raises(tf.errors.InvalidArgumentError, match="Too much follows on the pixels"):
        in_graph(data)


@pytest.mark.parametrize("read", [decode_file, decode_mask, read_record])
def test_whatever_reads_the_file_refuses_it(read, tmp_path):
    (tmp_path / "a.png").write_bytes(far_behind("noise"))
    with pytest.raises(InputError, match=r"a\.png: .* follow on its pixels"):
        read(tmp_path / "a.png")


# Without tables of its own, `Z_FIXED` makes noise larger than it is.
STRATEGIES = (zlib.Z_DEFAULT_STRATEGY, zlib.Z_HUFFMAN_ONLY, zlib.Z_RLE, zlib.Z_FIXED)


@pytest.mark.parametrize("level", [0, 1, 9])
@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("flat", [False, True])
def test_what_encoders_write_is_read_in_the_graph_as_outside(level, strategy, flat, in_graph):
    pixels = NOISE.copy()
    if flat:  # most of the stream stands for the same value, and the noise comes last
        pixels[: SIDE // 2] = 255
    data = wrap(pack(pixels, level, strategy), step=8192)
    for decode in (in_graph, lambda data: decode_bytes(data, read_header(data))):
        found = np.round(np.asarray(decode(data)) * 255)
        np.testing.assert_array_equal(found, pixels)


@pytest.mark.parametrize("strategy", [zlib.Z_HUFFMAN_ONLY, zlib.Z_RLE])
def test_a_large_flat_image_is_read_in_the_graph_as_outside(strategy, in_graph):
    flat = np.full((1600, 1600, 3), 200, "uint8")
    data = wrap(pack(flat, 1, strategy), side=1600)
    assert len(data) > MOST_BEHIND_PIXELS or strategy != zlib.Z_HUFFMAN_ONLY
    for decode in (in_graph, lambda data: decode_bytes(data, read_header(data))):
        assert np.all(np.round(np.asarray(decode(data)) * 255) == 200)


def pack_by_fixed_code(image):
    """The stream that a simple encoder writes: a byte of 144 and more becomes nine bits."""
    shifts = np.arange(8, -1, -1, dtype="uint16")
    bits = (image.reshape(len(image), -1, 1).astype("uint16") + 256 >> shifts) & 1
    no_filter = np.broadcast_to([0, 0, 1, 1, 0, 0, 0, 0], (len(image), 8))
    rows = np.concatenate([no_filter, bits.reshape(len(image), -1)], axis=1)
    bits = np.concatenate([[1, 1, 0], rows.ravel(), [0] * 7]).astype("uint8")
    block = np.packbits(bits, bitorder="little").tobytes()
    check = zlib.adler32(b"".join(b"\0" + row.tobytes() for row in image))
    return b"\x78\x01" + block + struct.pack(">I", check)


def test_noise_that_a_fixed_code_has_made_larger_is_read_in_the_graph_as_outside(in_graph):
    noise = np.random.default_rng(0).integers(144, 256, (1000, 1000, 3), "uint8")
    data = wrap(pack_by_fixed_code(noise), side=1000)
    assert len(data) > 1.12 * noise.size
    np.testing.assert_array_equal(in_graph(data), decode_bytes(data, read_header(data)))


def test_an_interlaced_image_of_few_bits_is_read_in_the_graph_as_outside(in_graph):
    file = io.BytesIO()
    Image.fromarray(NOISE[..., 0]).resize((3000, 3000)).convert("1").save(file, "PNG")
    data = file.getvalue()
    assert len(data) > MOST_BEHIND_PIXELS
    np.testing.assert_array_equal(in_graph(data), decode_bytes(data, read_header(data)))


def test_too_many_chunks_are_refused_in_the_graph_as_outside(in_graph):
    data = wrap(pack(NOISE), empty=10_000)
    with pytest.raises(InputError, match=f"chunks of less than {LEAST_PER_CHUNK} bytes"):
        decode_bytes(data, read_header(data))
    with pytest.raises(tf.errors.InvalidArgumentError, match="in chunks of less than"):
        in_graph(data)


def test_a_broken_stream_is_left_to_the_decoder(in_graph):
    good = pack(NOISE)
    data = wrap(good[:5000] + b"\xff" * (len(good) - 5000))
    header = read_header(data)
    assert describe_long_stream(data, header.start, NOISE.size) is None
    with pytest.raises(InputError, match="broken or cut off"):
        decode_bytes(data, header)
    with pytest.raises((tf.errors.DataLossError, tf.errors.InvalidArgumentError)):
        in_graph(data)
