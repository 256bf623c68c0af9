"""What follows on the pixels of a PNG: refused where it would cost more than they do."""

import struct
import zlib

import numpy as np
import pytest
import tensorflow as tf

from kerasad.data.decoding import decode_bytes_in_graph, decode_file, decode_mask
from kerasad.data.decoding.graph_headers import is_monotonous
from kerasad.data.decoding.png_stream import EXPANSION, describe_long_stream
from kerasad.data.image_files import read_record
from kerasad.errors import InputError
from kerasad.tracing import compiled

START = 33
MOST = 3_000_000


def chunk(kind, content):
    check = struct.pack(">I", zlib.crc32(kind + content))
    return struct.pack(">I", len(content)) + kind + content + check


def wrap(stream, side, step=2**24, empty=0):
    """A PNG with this stream, in chunks of `step` bytes, and `empty` chunks behind it."""
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    chunks = [chunk(b"IDAT", stream[i : i + step]) for i in range(0, len(stream), step)]
    parts = [b"\x89PNG\r\n\x1a\n", chunk(b"IHDR", header), *chunks]
    return b"".join([*parts, chunk(b"IDAT", b"") * empty, chunk(b"IEND", b"")])


def noise(side, values=255):
    return np.random.default_rng(0).integers(0, values, (side, side, 3), "uint8")


def rows_of(image):
    return b"".join(b"\0" + row.tobytes() for row in image)


def small_png(behind=0, **options):
    """A PNG of noise, and its bytes of pixels; `behind` zeros follow in its stream."""
    rows = rows_of(noise(64))
    return wrap(zlib.compress(rows + bytes(behind)), 64, **options), len(rows)


def describe_small(data, pixel_bytes):
    return describe_long_stream(data, START, pixel_bytes, most_behind=100_000, most_chunks=500)


def found_in_graph(data, pixel_bytes, **options):
    start, count = (tf.constant(number, tf.int64) for number in (START, pixel_bytes))
    return bool(is_monotonous(tf.constant(data), start, count, **options))


@pytest.fixture(scope="module")
def bomb(tmp_path_factory):
    """A file on which more than a gigabyte of zeros follows."""
    side = 700  # pixels enough for the size of the file
    packer = zlib.compressobj(9)
    start = packer.compress(rows_of(noise(side, 2))) + packer.flush(zlib.Z_FULL_FLUSH)
    zeros = packer.compress(bytes(2**20)) + packer.flush(zlib.Z_FULL_FLUSH)
    path = tmp_path_factory.mktemp("bomb") / "a.png"
    path.write_bytes(wrap(start + zeros * 1100, side))
    return path


@pytest.mark.parametrize("read", [decode_file, decode_mask, read_record])
def test_a_gigabyte_behind_the_pixels_is_refused(read, bomb):
    with pytest.raises(InputError, match=r"a\.png: .* follow on its pixels"):
        read(bomb)


def test_a_gigabyte_behind_the_pixels_is_refused_in_the_graph(bomb):
    decode = compiled(
        lambda data: decode_bytes_in_graph(data), input_signature=[tf.TensorSpec((), tf.string)]
    )
    with pytest.raises(tf.errors.InvalidArgumentError, match="stream of the PNG may go on"):
        decode(bomb.read_bytes())


@pytest.mark.parametrize("step", [2**24, 1000])
def test_a_stream_that_goes_on_is_found_in_chunks_of_any_size(step):
    assert "follow on its pixels" in describe_small(*small_png(behind=200_000, step=step))


def test_too_many_chunks_are_found():
    assert "more than 500 chunks" in describe_small(*small_png(empty=600))


@pytest.mark.parametrize("step", [2**24, 100])
def test_nothing_is_found_in_other_files(step):
    assert describe_small(*small_png(step=step)) is None


def test_zeros_without_end_are_found_in_the_graph_as_outside():
    rows, packer = rows_of(noise(256) // 200), zlib.compressobj(9)
    data = wrap(packer.compress(rows + bytes(30_000_000)) + packer.flush(), 256)
    assert "follow on" in describe_long_stream(data, START, len(rows), most_behind=MOST)
    assert found_in_graph(data, len(rows), most_behind=MOST)
    assert not found_in_graph(data, len(rows))


@pytest.mark.parametrize("level", [0, 1, 9])
@pytest.mark.parametrize("flat", [False, True])
def test_pixels_packed_or_stored_are_no_such_stream_in_the_graph_and_outside(level, flat):
    pixels = noise(256)
    if flat:  # of stored pixels, all bytes are alike
        pixels[16:] = 255
    rows = rows_of(pixels)
    data = wrap(zlib.compress(rows, level), 256)
    assert len(data) * EXPANSION > MOST + len(rows)  # the file is looked into
    assert describe_long_stream(data, START, len(rows), most_behind=MOST) is None
    assert not found_in_graph(data, len(rows), most_behind=MOST)


def test_a_broken_stream_is_left_to_the_decoder():
    assert describe_small(small_png()[0][:5000] + bytes(9000), 100) is None
