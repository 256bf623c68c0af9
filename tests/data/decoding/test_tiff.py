"""TIFF of every depth and layout: the values that tifffile wrote, or a refusal that says why."""

import io
import struct

import numpy as np
import pytest
import tifffile

from kerasad.data import read_category
from kerasad.data.decoding import Decoding, check_header, decode_bytes, decode_pixels, read_header
from kerasad.errors import InputError

SIZE = (45, 37)


def write(pixels, **options):
    file = io.BytesIO()
    tifffile.imwrite(file, pixels, **options)
    return file.getvalue()


def draw(channels, dtype="uint16", seed=0):
    shape = (*SIZE, channels) if channels > 1 else SIZE
    pixels = np.random.default_rng(seed).integers(
        0, np.iinfo(dtype).max, shape, dtype, endpoint=True
    )
    pixels[10:20] = pixels[10]  # something to compress
    return pixels


def decode(data, max_value=None):
    header = read_header(data)
    check_header(header, "a file", Decoding(max_value))
    return decode_bytes(data, header, decoding=Decoding(max_value))


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize(
    "layout",
    [
        {},
        {"byteorder": ">"},
        {"planarconfig": "separate"},
        {"rowsperstrip": 7},
        {"rowsperstrip": 7, "planarconfig": "separate"},
        {"tile": (16, 32)},
        {"bigtiff": True},
        {"bigtiff": True, "byteorder": ">", "rowsperstrip": 7, "compression": "zlib"},
        {"bigtiff": True, "tile": (16, 32), "planarconfig": "separate"},
        {"tile": (16, 32), "planarconfig": "separate", "byteorder": ">"},
        {"compression": "zlib", "rowsperstrip": 7},
        {"compression": "zlib", "tile": (32, 16), "byteorder": ">"},
        {"compression": "zlib", "planarconfig": "separate", "rowsperstrip": 8},
    ],
)
def test_every_value_is_read_as_it_was_written(layout, channels, dtype):
    if channels == 1:
        layout = {key: value for key, value in layout.items() if key != "planarconfig"}
    pixels = draw(channels, dtype)
    kind = {"photometric": "minisblack" if channels == 1 else "rgb"}
    if channels == 4:
        kind["extrasamples"] = ["unassalpha"]
    if "planarconfig" in layout:
        stored = np.ascontiguousarray(np.moveaxis(pixels, -1, 0))
    else:
        stored = pixels
    data = write(stored, **kind, **layout)
    expected = np.repeat(pixels[..., None], 3, -1) if channels == 1 else pixels[..., :3]
    found = decode_pixels(data, read_header(data))
    assert found.dtype == dtype
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("compression", [b"\x05\x00", b"\x08\x00", b"\x05\x80"])
@pytest.mark.parametrize("predictor", [1, 2])
def test_16_bit_colours_are_read_in_every_compression_of_bytes(compression, predictor):
    # Pillow writes the bytes of 16-bit pixels as an image of 8 bits; its header is then corrected.
    from PIL import Image

    pixels = draw(3)
    stored = pixels.copy()
    if predictor == 2:
        stored[:, 1:] = pixels[:, 1:] - pixels[:, :-1]
    flat = Image.fromarray(stored.view("uint8").reshape(SIZE[0], SIZE[1] * 6))
    file = io.BytesIO()
    name = {5: "tiff_lzw", 8: "tiff_adobe_deflate", 0x8005: "packbits"}
    flat.save(file, "TIFF", compression=name[struct.unpack("<H", compression)[0]])
    data = edit(file.getvalue(), {256: SIZE[1], 258: 16, 262: 2, 277: 3, 317: predictor})
    np.testing.assert_array_equal(decode_pixels(data, read_header(data)), pixels)


def edit(data, changes):
    """Returns a little-endian TIFF with other short values in its directory."""
    (position,) = struct.unpack_from("<I", data, 4)
    (count,) = struct.unpack_from("<H", data, position)
    entries = {}
    for start in range(position + 2, position + 2 + 12 * count, 12):
        entries[struct.unpack_from("<H", data, start)[0]] = data[start : start + 12]
    for tag, value in changes.items():
        entries[tag] = struct.pack("<HHII", tag, 4, 1, value)
    ordered = b"".join(entries[tag] for tag in sorted(entries))
    directory = struct.pack("<H", len(entries)) + ordered + bytes(4)
    return data[:4] + struct.pack("<I", len(data)) + data[8:] + directory


def test_orientation_turns_16_bit_colours():
    pixels = draw(3)
    data = edit(write(pixels, photometric="rgb"), {274: 6})
    assert (read_header(data).height, read_header(data).width) == SIZE[::-1]
    found = decode_pixels(data, read_header(data))
    np.testing.assert_array_equal(found, np.rot90(pixels, -1))


@pytest.mark.parametrize("planar", ["contig", "separate"])
def test_16_bit_colours_are_scaled_by_max_value(planar):
    pixels = np.full((*SIZE, 3), 819, "uint16")
    pixels[0, 0] = 4095, 5000, 0
    stored = pixels if planar == "contig" else np.ascontiguousarray(np.moveaxis(pixels, -1, 0))
    data = write(stored, photometric="rgb", planarconfig=planar)
    image = decode(data, max_value=4095)
    np.testing.assert_allclose(image[1:], 0.2, rtol=1e-6)
    np.testing.assert_allclose(image[0, 0], [1, 1, 0])
    np.testing.assert_allclose(decode(data)[1:], 819 / 65535, rtol=1e-6)


def test_the_range_of_16_bit_colours_is_remarked(tmp_path):
    for number in range(3):
        pixels = draw(3, seed=number) // 16
        tifffile.imwrite(tmp_path / f"{number}.tif", pixels, photometric="rgb")
    (problem,) = read_category(tmp_path).problems
    assert "set `max_value` to 4095" in problem.message
    assert not read_category(tmp_path, decoding=Decoding(4095)).problems
    (problem,) = read_category(tmp_path, decoding=Decoding(4000)).problems
    assert "values up to 4095" in problem.message


def test_12_bit_grey_has_its_own_white():
    values = np.array([[0, 819], [4095, 1]])
    packed = b"\x00\x03\x33" + b"\xff\xf0\x01"
    start = write(np.zeros((2, 3), "uint8"), photometric="minisblack")
    (offset,) = (
        tag.value[0]
        for tag in tifffile.TiffFile(io.BytesIO(start)).pages[0].tags.values()
        if tag.code == 273
    )
    data = edit(start[:offset] + packed + start[offset + 6 :], {256: 2, 258: 12})
    np.testing.assert_allclose(decode(data)[..., 0], values / 4095, rtol=1e-6)
    np.testing.assert_allclose(decode(data, 1638)[0, 1], 0.5, rtol=1e-6)


def test_one_bit_is_black_and_white():
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(np.eye(8, dtype=bool)).save(file, "TIFF", compression="group4")
    np.testing.assert_array_equal(decode(file.getvalue())[..., 1], np.eye(8))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({259: 50000}, "compression of 16-bit colours is Zstd"),
        ({259: 7}, "compression of 16-bit colours is JPEG"),
        ({259: 9999}, "compression of 16-bit colours is number 9999"),
        ({262: 5}, "3 channels of 16 bits are CMYK"),
        ({262: 0}, "0 is white in its 16-bit pixels"),
        ({277: 7}, "it has 7 channels"),
        ({338: 1}, "multiplied by alpha"),
        ({266: 2}, "bits of its bytes are reversed"),
        ({317: 3}, "predictor is for floating-point"),
        ({322: 60_000, 323: 60_000}, "tiles of 60000 x 60000 pixels do not fit"),
        ({279: 10**9}, "strips overlap"),
        ({339: 3}, "floating-point"),
        ({258: 10}, "10 bits per channel"),
        ({258: 12}, "12 bits per channel"),
        ({258: 32}, "32 bits per channel"),
        ({256: 10**6, 257: 10**6, 259: 8}, "the limit is 50"),
    ],
)
def test_what_cannot_be_read_rightly_is_refused_with_the_reason(changes, message):
    data = edit(write(draw(3), photometric="rgb"), changes)
    with pytest.raises(InputError, match=message):
        decode(data)


@pytest.mark.parametrize("bigtiff", [False, True])
def test_several_pages_are_refused(bigtiff):
    pages = np.stack([draw(3), draw(3)])
    with pytest.raises(InputError, match="several images"):
        decode(write(pages, photometric="rgb", bigtiff=bigtiff))


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_a_bigtiff_is_read_or_refused_wherever_it_is_damaged(dtype):
    data = write(draw(3, dtype), photometric="rgb", bigtiff=True, rowsperstrip=7)
    expected = decode(data)
    for place in range(0, 16 + 20 * 20, 3):  # the directory comes first
        broken = data[:place] + bytes([data[place] ^ 0xFF]) + data[place + 1 :]
        try:
            image = decode(broken)
        except InputError:  # and nothing else
            continue
        assert image.ndim == expected.ndim
    with pytest.raises(InputError):
        decode(data[:-100])


def test_a_palette_in_a_bigtiff_is_read():
    pixels = draw(1, "uint8")
    table = np.random.default_rng(1).integers(0, 256, (3, 256), "uint16") * 257
    options = {"photometric": "palette", "colormap": table}
    found, expected = (decode(write(pixels, bigtiff=big, **options)) for big in (True, False))
    np.testing.assert_array_equal(found, expected)


def test_the_notes_in_a_tiff_are_not_read():
    data = edit(write(draw(3, "uint8"), photometric="rgb"), {})
    (position,) = struct.unpack_from("<I", data, 4)
    (count,) = struct.unpack_from("<H", data, position)
    notes = b"".join(struct.pack("<HHII", 60_000 + i, 7, len(data), 0) for i in range(900))
    end = position + 2 + 12 * count
    more = struct.pack("<H", count + 900) + data[position + 2 : end] + notes + data[end:]
    np.testing.assert_array_equal(decode(data[:position] + more), decode(data))


@pytest.mark.parametrize("options", [{}, {"compression": "zlib"}, {"tile": (16, 16)}])
def test_16_bit_colours_cut_off_or_with_flipped_bytes_are_refused_or_decoded(options):
    data = write(draw(3), photometric="rgb", **options)
    for length in range(0, len(data), 101):
        try:
            image = decode(data[:length])
        except InputError:
            continue
        # Where the directory and all strips come first, what follows may be missing.
        np.testing.assert_array_equal(image, decode(data))
    rng = np.random.default_rng(0)
    for _ in range(100):
        broken = bytearray(data)
        broken[rng.integers(0, min(len(data), 600))] = rng.integers(256)
        try:
            header = read_header(bytes(broken))
            image = decode(bytes(broken))
        except InputError:
            continue
        assert image.shape == (header.height, header.width, 3)
