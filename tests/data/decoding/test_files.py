"""Both decoders against values written down by hand, against each other, and on cut-off files."""

import dataclasses
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from kerasad.data.decoding import (
    Decoding,
    check_header,
    decode_bytes,
    decode_file,
    decode_pixels,
    read_header,
)
from kerasad.data.decoding.pillow import decode_with_pillow
from kerasad.errors import InputError

# Two rows of three colours: no two rows, columns or channels are alike.
CARD = np.array(
    [[[255, 0, 0], [0, 51, 0], [0, 0, 102]], [[1, 2, 3], [4, 5, 6], [7, 8, 9]]], "uint8"
)


def decode(data, max_value=None):
    header = read_header(data)
    decoding = Decoding(max_value, pixel_limit=10_000)
    check_header(header, "a file", decoding)
    return decode_bytes(data, header, decoding=decoding)


@pytest.mark.parametrize("image_format", ["PNG", "BMP", "TIFF"])
def test_pixels_are_the_stored_values_over_255(image_format, encode):
    image = decode(encode(CARD, image_format))
    assert image.dtype == np.float32
    np.testing.assert_allclose(image, CARD / 255, rtol=1e-6)
    assert image.max() == 1.0


@pytest.mark.parametrize("image_format", ["PNG", "JPEG", "BMP", "TIFF"])
def test_grey_becomes_three_channels(image_format, encode):
    grey = np.full((8, 8), 51, "uint8")
    image = decode(encode(grey, image_format))
    np.testing.assert_allclose(image, np.full((8, 8, 3), 0.2), rtol=1e-6)


@pytest.mark.parametrize("image_format", ["PNG", "TIFF"])
def test_16_bits_are_scaled_by_max_value(image_format, encode):
    data = encode(np.array([[0, 819, 4095], [5000, 32768, 65535]], "uint16"), image_format)
    image = decode(data)
    assert image.shape == (2, 3, 3)
    expected = np.array([[0, 819, 4095], [5000, 32768, 65535]]) / 65535
    np.testing.assert_allclose(image[..., 2], expected, rtol=1e-6)
    image = decode(data, max_value=4095)
    np.testing.assert_allclose(image[..., 0], [[0, 0.2, 1], [1, 1, 1]], rtol=1e-6)


def test_16_bit_colours_keep_their_lower_bits(png_chunk, encode):
    rows = b"\x00" + struct.pack(">6H", 819, 4095, 0, 1, 2, 3)  # one row of two pixels
    header = struct.pack(">IIBBBBB", 2, 1, 16, 2, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    data = b"\x89PNG\r\n\x1a\n" + b"".join(png_chunk(*chunk) for chunk in chunks)
    image = decode(data, max_value=4095)
    np.testing.assert_allclose(image, [[[0.2, 1, 0], [1 / 4095, 2 / 4095, 3 / 4095]]], rtol=1e-6)


def test_8_bit_images_ignore_max_value(encode):
    data = encode(CARD)
    np.testing.assert_array_equal(decode(data, max_value=100), decode(data))


@pytest.mark.parametrize("image_format", ["PNG", "TIFF"])
@pytest.mark.parametrize("mode", ["LA", "RGBA", "P"])
def test_alpha_is_dropped_and_colours_stay(mode, image_format, encode):
    image = Image.fromarray(CARD).convert(mode)
    if mode != "P":
        image.putalpha(Image.fromarray(np.array([[0, 9, 255], [0, 0, 0]], "uint8")))
    if (mode, image_format) == ("P", "PNG"):
        data = encode(image, image_format, transparency=0)
    else:
        data = encode(image, image_format)
    expected = np.asarray(Image.fromarray(CARD).convert(mode).convert("RGB")) / 255
    np.testing.assert_allclose(decode(data), expected, rtol=1e-6)


def test_cmyk_becomes_rgb(encode):
    cyan = Image.new("CMYK", (8, 8), (255, 0, 0, 51))  # no red, and a fifth of it black
    image = decode(encode(cyan, "JPEG", quality=95))
    np.testing.assert_allclose(image, np.tile([0, 0.8, 0.8], (8, 8, 1)), atol=0.01)


def test_an_image_of_one_pixel_is_decoded(encode):
    for image_format in ("PNG", "BMP", "TIFF"):
        image = decode(encode(np.array([[[51, 102, 255]]], "uint8"), image_format))
        np.testing.assert_allclose(image, [[[0.2, 0.4, 1.0]]], rtol=1e-6)


def test_orientation_6_turns_the_top_row_to_the_right(encode):
    for image_format in ("PNG", "TIFF"):
        image = decode(encode(CARD, image_format, orientation=6))
        # The stored rows become columns, the first one rightmost.
        expected = [[CARD[1, i], CARD[0, i]] for i in range(3)]
        np.testing.assert_allclose(image, np.array(expected) / 255, rtol=1e-6)


@pytest.mark.parametrize("image_format", ["PNG", "JPEG", "BMP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_both_decoders_give_the_same_pixels(image_format, orientation, noise, encode):
    # Equal to the bit, JPEG too: both carry libjpeg-turbo. Another build may round differently.
    options = {} if image_format == "BMP" else {"orientation": orientation}
    data = encode(noise(37, 50), image_format, **options)
    header = read_header(data)
    by_graph = decode_pixels(data, header).astype(int)
    by_pillow = decode_with_pillow(data, header, "a file").astype(int)
    assert np.abs(by_graph - by_pillow).max() <= (2 if image_format == "JPEG" else 0)


@pytest.mark.parametrize(
    "options",
    [
        {"subsampling": 0},
        {"subsampling": 2},
        {"progressive": True, "quality": 60},
        {"restart_marker_blocks": 2},
    ],
)
@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_both_decoders_agree_on_every_kind_of_jpeg(mode, options, noise, encode):
    data = encode(Image.fromarray(noise(37, 50)).convert(mode), "JPEG", **options)
    header = read_header(data)
    by_pillow = decode_with_pillow(data, header, "a file").astype(int)
    assert np.abs(decode_pixels(data, header) - by_pillow).max() <= 2


@pytest.mark.parametrize("image_format", ["PNG", "JPEG", "BMP", "TIFF"])
def test_a_file_cut_off_anywhere_is_an_input_error(image_format, noise, encode):
    options = {} if image_format == "BMP" else {"orientation": 6}
    data = encode(noise(), image_format, **options)
    decode(data)
    for length in range(0, len(data), 5):
        with pytest.raises(InputError):
            decode(data[:length])


@pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow's, of broken TIFF tags
@pytest.mark.parametrize("image_format", ["PNG", "JPEG", "BMP", "TIFF"])
def test_flipped_bytes_never_raise_anything_but_an_input_error(image_format, noise, encode):
    data = encode(noise(), image_format)
    rng = np.random.default_rng(0)
    for _ in range(150):
        broken = bytearray(data)
        for position in rng.integers(0, len(data), 3):
            broken[position] = rng.integers(256)
        try:
            image = decode(bytes(broken))
        except InputError:
            continue
        header = read_header(bytes(broken))
        assert image.shape == (header.height, header.width, 3)
        assert 0 <= image.min() <= image.max() <= 1


def test_a_tiff_that_states_two_sizes_is_refused(noise, encode):
    data = encode(noise(), "TIFF")
    header = read_header(data)
    assert decode_bytes(data, header).shape == (13, 9, 3)
    with pytest.raises(InputError, match="two sizes"):
        decode_bytes(data, dataclasses.replace(header, height=12))


def test_errors_of_a_file_name_it(tmp_path, noise, encode):
    path = tmp_path / "part 7.png"
    path.write_bytes(encode(noise())[:100])
    with pytest.raises(InputError, match=r"part 7\.png: the PNG is broken or cut off"):
        decode_file(path)
