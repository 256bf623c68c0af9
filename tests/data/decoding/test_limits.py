"""Files that are small and cost much: refused before decoding, by both decoders alike."""

import struct
import threading
import zlib

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from kerasad.data.decoding import (
    PIXEL_LIMIT,
    Decoding,
    Header,
    check_header,
    decode_bytes,
    decode_bytes_in_graph,
    decode_file,
    hold_memory,
    most_at_once,
    read_header,
)
from kerasad.data.decoding.limits import (
    EXTRA_BYTES,
    MAX_COMPRESSED_TEXTS,
    MAX_SCANS,
    PNG_EXTRA_BYTES,
)
from kerasad.data.geometry import Geometry
from kerasad.errors import InputError
from kerasad.tracing import compiled


def decode(data):
    header = read_header(data)
    check_header(header, "a file")
    return decode_bytes(data, header)


@pytest.fixture
def refuse(in_graph):
    """Function of bytes and two messages: Python refuses with the first, the graph the other."""

    def check(data, message, in_graph_message):
        with pytest.raises(InputError, match=message):
            decode(data)
        with pytest.raises(tf.errors.InvalidArgumentError, match=in_graph_message):
            in_graph(data)

    return check


def segment(marker, content):
    return bytes([0xFF, marker]) + struct.pack(">H", len(content) + 2) + content


def progressive_jpeg(height, width, num_scans):
    """A grey JPEG of one value: a scan of one bit a block, then scans of a few bytes each."""
    blocks = -(-height // 8) * -(-width // 8)
    one_code = bytes([1] + [0] * 15)
    data = b"\xff\xd8" + segment(0xDB, b"\x00" + bytes([1] * 64))
    data += segment(0xC2, struct.pack(">BHHB", 8, height, width, 1) + bytes([1, 0x11, 0]))
    data += segment(0xC4, b"\x00" + one_code + b"\x00")
    data += segment(0xC4, b"\x10" + one_code + b"\xe0")  # a run of blocks without an edge
    data += segment(0xDA, bytes([1, 1, 0, 0, 0, 0])) + bytes(-(-blocks // 8))
    scan = segment(0xDA, bytes([1, 1, 0, 1, 63, 0])) + b"\x00" * 8
    return data + scan * (num_scans - 1) + b"\xff\xd9"


def test_a_jpeg_of_too_many_scans_is_refused(refuse, in_graph):
    data = progressive_jpeg(64, 64, MAX_SCANS)
    np.testing.assert_array_equal(in_graph(data), decode(data))
    refuse(progressive_jpeg(64, 64, MAX_SCANS + 1), "has 33 scans", "more than 32 scans")


def test_a_film_behind_a_photo_does_not_count_as_scans(noise, encode, in_graph):
    data = encode(noise(), "JPEG") + b"\xff\xda" * (MAX_SCANS + 1)
    np.testing.assert_array_equal(in_graph(data), decode(data))


def test_a_jpeg_of_one_grey_is_the_smallest_that_is_decoded(encode, refuse, in_graph):
    grey = Image.new("L", (2000, 2000), 128)
    for options in ({"progressive": True}, {"optimize": True}):
        data = encode(grey, "JPEG", **options)
        np.testing.assert_array_equal(in_graph(data), decode(data))
    start = data.index(b"\xff\xc0")
    larger = data[: start + 5] + struct.pack(">HH", 6000, 6000) + data[start + 9 :]
    refuse(larger, "too few for an image of 6000 x 6000", "too few bytes")


def test_a_jpeg_that_claims_100_megapixels_is_refused():
    data = progressive_jpeg(64, 64, 2)
    start = data.index(b"\xff\xc2")
    data = data[: start + 5] + struct.pack(">HH", 10_000, 10_000) + data[start + 9 :]
    with pytest.raises(InputError, match="too few for an image of 10000 x 10000"):
        decode_bytes(data, read_header(data), decoding=Decoding(pixel_limit=10**9))


def test_a_png_that_unfolds_to_more_than_its_pixels_is_refused(
    noise, encode, png_chunk, refuse, in_graph
):
    data = encode(noise())
    texts = png_chunk(b"zTXt", b"a\x00\x00" + zlib.compress(bytes(1000)))
    few = data[:33] + texts * MAX_COMPRESSED_TEXTS + data[33:]
    np.testing.assert_array_equal(in_graph(few), decode(few))
    many = data[:33] + texts + data[33:-12] + texts * MAX_COMPRESSED_TEXTS + data[-12:]
    refuse(many, "17 compressed texts", "more than 16 compressed texts")
    stream = data[:33] + png_chunk(b"IDAT", bytes(2 * PNG_EXTRA_BYTES)) + data[33:]
    refuse(stream, "MB, more than an image of 9 x 13 pixels needs", "more bytes than its pixels")


def test_a_file_much_larger_than_its_pixels_is_not_read(tmp_path, noise, encode, refuse):
    for image_format in ("JPEG", "TIFF"):
        path = tmp_path / "a.img"
        path.write_bytes(encode(noise(), image_format))
        decode_file(path)
        with path.open("r+b") as file:
            file.truncate(13 * 9 * 3 + EXTRA_BYTES)  # a hole, which takes no place on the disk
        decode_file(path)
        with path.open("r+b") as file:
            file.truncate(900_000_000)
        with pytest.raises(InputError, match="the file has 900 MB"):
            decode_file(path)
    data = encode(noise(), "JPEG")
    refuse(data + bytes(EXTRA_BYTES + 400), "the file has 16.78 MB", "more bytes than its pixels")


def test_pixels_far_behind_the_start_are_refused(noise, encode, png_chunk, refuse):
    data = encode(noise())
    late = data[:33] + png_chunk(b"tEXt", b"a\x00" + bytes(EXTRA_BYTES)) + data[33:]
    refuse(late, "MB lie before the pixels", "begin late in the file")


def test_run_lengths_of_a_large_bmp_are_refused(noise, encode):
    data = bytearray(encode(Image.fromarray(noise()).convert("P"), "BMP"))
    data[18:26], data[30:34] = struct.pack("<ii", 5000, -5000), struct.pack("<I", 1)
    with pytest.raises(InputError, match="too many pixels for run-length encoding"):
        read_header(bytes(data))


def test_an_endless_side_is_refused(refuse, make_bomb):
    refuse(make_bomb(1, 70_000), "longer than 65535", "longer than 65535")


def test_pixels_of_16_bits_count_twice(encode, compile_decoder):
    data = encode(np.zeros((10, 10), "uint16"))
    with pytest.raises(tf.errors.InvalidArgumentError, match="limit of 199"):
        compile_decoder(pixel_limit=199)(data)
    with pytest.raises(InputError, match=r"of more than 8 bits, .* count twice"):
        check_header(read_header(data), "a.png", Decoding(pixel_limit=199))
    check_header(read_header(data), "a.png", Decoding(pixel_limit=200))


def test_pixels_of_a_bmp_of_32_bits_count_twice(encode, compile_decoder):
    data = encode(Image.new("RGBA", (10, 10)), "BMP")
    with pytest.raises(tf.errors.InvalidArgumentError, match="limit of 199"):
        compile_decoder(pixel_limit=199)(data)
    with pytest.raises(InputError, match="of BMP files of 32, count twice"):
        check_header(read_header(data), "a.bmp", Decoding(pixel_limit=199))
    check_header(read_header(data), "a.bmp", Decoding(pixel_limit=200))


def test_a_frame_is_resized_from_integers_alike_in_python_and_in_the_graph(noise, encode):
    files = [encode(noise(90, 70)), encode(noise(90, 70), "JPEG", orientation=6)]
    files += [encode(noise(90, 70)[..., 0].astype("uint16") * 257)]
    for geometry in (Geometry(32, 24), Geometry(32, 40, keep_aspect=True)):

        def decode_and_resize(data, resize=geometry.resize):
            return decode_bytes_in_graph(data, finish=lambda *args: resize(*args)[0])

        in_graph = compiled(decode_and_resize, input_signature=[tf.TensorSpec((), tf.string)])
        for data in files:
            image, _ = decode_bytes(data, read_header(data), finish=geometry.resize)
            np.testing.assert_array_equal(in_graph(data), image)
            np.testing.assert_allclose(image, geometry.resize(decode(data))[0], atol=1e-6)


def test_images_decoded_at_once_stay_within_the_limit_together():
    half, order = Header("png", PIXEL_LIMIT // 2, 1), []
    held, waiting = threading.Event(), []

    def hold(name):
        with hold_memory(half):
            order.append(name)
            held.wait(10)

    for name in "abc":
        waiting.append(threading.Thread(target=hold, args=name))
        waiting[-1].start()
        while len(order) < min(len(waiting), 2):
            threading.Event().wait(0.001)
    threading.Event().wait(0.05)
    assert order == ["a", "b"]
    held.set()
    for thread in waiting:
        thread.join(10)
    assert sorted(order) == ["a", "b", "c"]
    with hold_memory(Header("png", 3 * PIXEL_LIMIT, 1)):  # one alone always passes
        pass
    assert most_at_once(PIXEL_LIMIT) == most_at_once(10 * PIXEL_LIMIT) == 1
    assert most_at_once(1000) is None
