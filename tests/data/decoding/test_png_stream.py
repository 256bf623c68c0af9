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
    decode_bytes_in_graph,
    decode_file,
    decode_mask,
    png_stream,
    read_header,
)
from kerasad.data.image_files import read_record
from kerasad.errors import InputError
from kerasad.tracing import compiled

SIDE = 64
MOST = 3_000_000


@pytest.fixture(autouse=True)
def _small_limits(monkeypatch):
    monkeypatch.setattr(png_stream, "MOST_BEHIND_PIXELS", 100_000)
    monkeypatch.setattr(png_stream, "MOST_CHUNKS", 500)


def chunk(kind, content):
    check = struct.pack(">I", zlib.crc32(kind + content))
    return struct.pack(">I", len(content)) + kind + content + check


def png(behind=0, step=2**20, empty=0):
    """A PNG of noise; `behind` bytes of zeros follow in its stream, `empty` chunks in the file."""
    pixels = np.random.default_rng(0).integers(0, 255, (SIDE, SIDE, 3), "uint8")
    rows = b"".join(b"\0" + row.tobytes() for row in pixels)
    stream = zlib.compress(rows + bytes(behind))
    chunks = [chunk(b"IDAT", stream[i : i + step]) for i in range(0, len(stream), step)]
    header = struct.pack(">IIBBBBB", SIDE, SIDE, 8, 2, 0, 0, 0)
    parts = [b"\x89PNG\r\n\x1a\n", chunk(b"IHDR", header), *chunks]
    return b"".join([*parts, chunk(b"IDAT", b"") * empty, chunk(b"IEND", b"")])


@pytest.mark.parametrize("read", [decode_file, decode_mask, read_record])
@pytest.mark.parametrize("step", [2**20, 1000])
def test_a_stream_that_goes_on_is_refused(read, step, tmp_path):
    (tmp_path / "a.png").write_bytes(png(behind=200_000, step=step))
    with pytest.raises(InputError, match=r"a\.png: .* follow on its pixels"):
        read(tmp_path / "a.png")


def compiled_decoder():
    return compiled(
        lambda data: decode_bytes_in_graph(data),
        input_signature=[tf.TensorSpec((), tf.string)],
    )


def rows_of(image):
    return b"".join(b"\0" + row.tobytes() for row in image)


def wrap(stream, side=256):
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    parts = [chunk(b"IHDR", header), chunk(b"IDAT", stream), chunk(b"IEND", b"")]
    return b"".join([b"\x89PNG\r\n\x1a\n", *parts])


def test_zeros_without_end_are_refused_in_the_graph_as_outside(monkeypatch):
    monkeypatch.setattr(png_stream, "MOST_BEHIND_PIXELS", MOST)
    pixels = np.random.default_rng(0).integers(0, 255, (256, 256, 3), "uint8")
    rows, packer = rows_of(pixels // 200), zlib.compressobj(9)
    bomb = wrap(packer.compress(rows + bytes(30_000_000)) + packer.flush())
    assert len(bomb) < len(rows)  # no other limit is met
    with pytest.raises(InputError, match="follow on its pixels"):
        decode_bytes(bomb, read_header(bomb))
    with pytest.raises(tf.errors.InvalidArgumentError, match="stream of the PNG may go on"):
        compiled_decoder()(bomb)


@pytest.mark.parametrize("level", [0, 1, 9])
@pytest.mark.parametrize("flat", [False, True])
def test_pixels_packed_or_stored_are_read_in_the_graph_as_outside(level, flat, monkeypatch):
    monkeypatch.setattr(png_stream, "MOST_BEHIND_PIXELS", MOST)
    pixels = np.random.default_rng(0).integers(0, 255, (256, 256, 3), "uint8")
    if flat:  # of stored pixels, all bytes are alike
        pixels[16:] = 255
    data = wrap(zlib.compress(rows_of(pixels), level))
    assert len(data) * png_stream.EXPANSION > png_stream.MOST_BEHIND_PIXELS
    for decode in (compiled_decoder(), lambda data: decode_bytes(data, read_header(data))):
        found = np.round(np.asarray(decode(data)) * 255)
        np.testing.assert_array_equal(found, pixels)


def test_too_many_chunks_are_refused(tmp_path):
    (tmp_path / "a.png").write_bytes(png(empty=600))
    with pytest.raises(InputError, match="more than 500 chunks"):
        decode_file(tmp_path / "a.png")


@pytest.mark.parametrize("step", [2**20, 100])
def test_other_files_are_read(step, tmp_path):
    (tmp_path / "a.png").write_bytes(png(step=step))
    expected = np.asarray(Image.open(io.BytesIO(png())))
    read = np.round(np.asarray(decode_file(tmp_path / "a.png")) * 255)
    np.testing.assert_array_equal(read, expected)


def test_a_broken_stream_is_left_to_the_decoder():
    assert png_stream.describe_long_stream(png()[:5000] + bytes(9000), 33, 100) is None
