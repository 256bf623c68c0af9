import io

import numpy as np
import pytest
from PIL import Image

from kerasad.data.decoding import Decoding, Header, check_header, read_header
from kerasad.data.decoding.header import MAX_SEGMENTS
from kerasad.errors import InputError


@pytest.mark.parametrize(
    ("image_format", "mode", "expected"),
    [
        ("PNG", "RGB", Header("png", 13, 9)),
        ("PNG", "L", Header("png", 13, 9, channels=1)),
        ("PNG", "LA", Header("png", 13, 9, channels=2)),
        ("PNG", "RGBA", Header("png", 13, 9, channels=4)),
        ("PNG", "P", Header("png", 13, 9, channels=3)),
        ("JPEG", "L", Header("jpeg", 13, 9, channels=1)),
        ("JPEG", "CMYK", Header("jpeg", 13, 9, channels=4)),
        ("BMP", "RGB", Header("bmp", 13, 9)),
        ("BMP", "P", Header("bmp", 13, 9, decoder="pillow")),
        ("TIFF", "RGB", Header("tiff", 13, 9, decoder="pillow")),
        ("TIFF", "L", Header("tiff", 13, 9, channels=1, decoder="pillow")),
    ],
)
def test_the_header_describes_the_image(image_format, mode, expected, noise, encode):
    data = encode(Image.fromarray(noise()).convert(mode), image_format)
    assert read_header(data) == expected


@pytest.mark.parametrize("image_format", ["PNG", "TIFF"])
def test_the_header_states_16_bits(image_format, encode):
    header = read_header(encode(np.zeros((4, 5), "uint16"), image_format))
    assert (header.height, header.width, header.bits) == (4, 5, 16)


@pytest.mark.parametrize("image_format", ["PNG", "JPEG", "TIFF"])
@pytest.mark.parametrize(("orientation", "shape"), [(3, (13, 9)), (6, (9, 13)), (9, (13, 9))])
def test_sizes_are_those_after_the_orientation(image_format, orientation, shape, noise, encode):
    header = read_header(encode(noise(), image_format, orientation=orientation))
    assert (header.height, header.width) == shape
    assert header.orientation == (orientation if orientation <= 8 else 1)


def test_path_file_and_bytes_give_the_same(tmp_path, noise, encode):
    data = encode(noise(), "JPEG")
    (tmp_path / "a.jpg").write_bytes(data)
    expected = read_header(data)
    assert read_header(tmp_path / "a.jpg") == expected
    assert read_header(str(tmp_path / "a.jpg")) == expected
    assert read_header(io.BytesIO(data)) == expected


def test_a_header_is_found_behind_long_segments(noise, encode):
    data = encode(noise(), "JPEG", icc_profile=bytes(200_000), orientation=8)
    assert read_header(data) == Header("jpeg", 9, 13, orientation=8)


def test_endless_chunks_are_refused(noise, encode, png_chunk):
    data = encode(noise())
    few = data[:33] + png_chunk(b"teXt", b"") * (MAX_SEGMENTS - 1) + data[33:]
    assert read_header(few) == Header("png", 13, 9)
    many = data[:33] + png_chunk(b"teXt", b"") * MAX_SEGMENTS + data[33:]
    with pytest.raises(InputError, match="no pixels within"):
        read_header(many)


def test_the_limit_is_the_last_size_allowed():
    check_header(Header("png", 10, 20), "a.png", Decoding(pixel_limit=200))
    with pytest.raises(InputError, match=r"a\.png: the image is 20 x 10 pixels"):
        check_header(Header("png", 10, 20), "a.png", Decoding(pixel_limit=199))


@pytest.mark.parametrize("bits", [10, 32])
def test_other_bits_than_8_and_16_are_refused(bits):
    with pytest.raises(InputError, match=f"{bits} bits"):
        check_header(Header("tiff", 2, 2, bits=bits), "a.tif")


@pytest.mark.parametrize(
    ("pixels", "message"),
    [(np.zeros((3, 4), "float32"), "floating-point"), (np.zeros((3, 4), "int32"), "signed")],
)
def test_tiffs_of_other_numbers_are_refused(pixels, message, encode):
    with pytest.raises(InputError, match=message):
        read_header(encode(pixels, "TIFF"))
