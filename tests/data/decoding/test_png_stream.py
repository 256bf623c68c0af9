"""What follows on the pixels of a PNG: refused where it would cost more than they do."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from kerasad.data.decoding import decode_file, decode_mask, png_stream
from kerasad.data.image_files import read_record
from kerasad.errors import InputError

SIDE = 64


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
