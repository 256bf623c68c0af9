"""The decoder that is exported: the same pixels as `decode_bytes`, the same refusals."""

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from kerasad.data.decoding import (
    check_header,
    decode_bytes,
    decode_bytes_in_graph,
    read_header,
)
from kerasad.data.decoding.header import MAX_SEGMENTS
from kerasad.errors import InputError
from kerasad.tracing import map_dataset


@pytest.mark.parametrize("image_format", ["PNG", "JPEG"])
def test_orientations_are_honoured_as_outside_of_the_graph(image_format, noise, encode, in_graph):
    for orientation in range(1, 9):
        data = encode(noise(), image_format, orientation=orientation)
        expected = decode_bytes(data, read_header(data))
        assert expected.shape == ((9, 13, 3) if orientation >= 5 else (13, 9, 3))
        np.testing.assert_array_equal(in_graph(data), expected)


def test_every_kind_of_image_decodes_as_outside_of_the_graph(noise, encode, in_graph):
    kinds = [("PNG", mode) for mode in ("1", "L", "LA", "P", "RGBA")]
    kinds += [("JPEG", "L"), ("JPEG", "CMYK"), ("BMP", "RGB"), ("BMP", "RGBA")]
    files = [encode(Image.fromarray(noise()).convert(mode), kind) for kind, mode in kinds]
    files.append(encode(noise()[..., 0].astype("uint16") * 257))
    for data in files:
        np.testing.assert_array_equal(in_graph(data), decode_bytes(data, read_header(data)))


def test_orientation_is_read_in_both_byte_orders(noise, encode, in_graph):
    for order, endian in ((b"II", "<"), (b"MM", ">")):
        exif = Image.Exif()
        exif.endian = endian
        exif[0x010F], exif[0x0112], exif[0x0131] = "maker", 5, "software"  # tags around it
        data = encode(noise(), "JPEG", exif=exif)
        assert b"Exif\x00\x00" + order in data
        assert read_header(data).orientation == 5
        np.testing.assert_array_equal(in_graph(data), decode_bytes(data, read_header(data)))


def test_orientation_is_found_behind_long_segments(noise, encode, in_graph):
    data = encode(noise(), "JPEG", icc_profile=bytes(200_000), orientation=8, comment="x" * 99)
    assert in_graph(data).shape == (9, 13, 3)


def test_max_value_scales_16_bits_only(noise, encode, compile_decoder):
    in_graph = compile_decoder(max_value=4095)
    sixteen = encode(np.array([[0, 819, 4095, 65535]], "uint16"))
    np.testing.assert_allclose(in_graph(sixteen)[0, :, 1], [0, 0.2, 1, 1], rtol=1e-6)
    eight = encode(noise())
    np.testing.assert_array_equal(in_graph(eight), decode_bytes(eight, read_header(eight)))


def test_a_bomb_is_refused_by_its_header(make_bomb, in_graph):
    # Its pixels are too few: decoding it would fail with another message.
    for size in ((20_000, 20_000), (2**31 - 1, 2**31 - 1), (2**32 - 1, 1)):
        with pytest.raises(tf.errors.InvalidArgumentError, match="more pixels than the limit"):
            in_graph(make_bomb(*size))


def test_the_limit_is_the_last_size_allowed_for_every_format(noise, encode, compile_decoder):
    in_graph = compile_decoder(pixel_limit=13 * 9)
    for image_format in ("PNG", "JPEG", "BMP"):
        assert in_graph(encode(noise(13, 9), image_format)).shape == (13, 9, 3)
        with pytest.raises(tf.errors.InvalidArgumentError, match="than the limit of 117"):
            in_graph(encode(noise(13, 10), image_format))


def test_no_pixels_are_refused(make_bomb, in_graph):
    with pytest.raises(tf.errors.InvalidArgumentError, match="no pixels"):
        in_graph(make_bomb(0, 5))


def test_animations_and_endless_chunks_are_refused(noise, encode, png_chunk, in_graph):
    frames = [Image.fromarray(noise(seed=seed)) for seed in range(2)]
    with pytest.raises(tf.errors.InvalidArgumentError, match="animated"):
        in_graph(encode(frames[0], save_all=True, append_images=frames[1:]))
    data = encode(noise())
    few = data[:33] + png_chunk(b"teXt", b"") * (MAX_SEGMENTS - 1) + data[33:]
    assert in_graph(few).shape == (13, 9, 3)
    many = data[:33] + png_chunk(b"teXt", b"") * MAX_SEGMENTS + data[33:]
    with pytest.raises(tf.errors.InvalidArgumentError, match="start of the PNG is broken"):
        in_graph(many)


def test_other_files_are_refused(noise, encode, in_graph):
    files = [encode(noise(), kind) for kind in ("TIFF", "GIF", "WEBP")]
    files += [b"no image at all", b"", encode(Image.fromarray(noise()).convert("P"), "BMP")]
    for data in files:
        with pytest.raises(tf.errors.InvalidArgumentError, match=r"neither a PNG|Only BMP"):
            in_graph(data)


@pytest.mark.parametrize("image_format", ["PNG", "JPEG", "BMP"])
def test_a_file_cut_off_anywhere_is_an_invalid_argument(image_format, noise, encode, in_graph):
    options = {} if image_format == "BMP" else {"orientation": 6}
    data = encode(noise(), image_format, **options)
    for length in range(0, len(data), 7):
        with pytest.raises(tf.errors.InvalidArgumentError):
            in_graph(data[:length])


@pytest.mark.parametrize("image_format", ["PNG", "JPEG", "BMP"])
def test_broken_files_are_refused_or_decoded_as_outside_of_the_graph(
    image_format, noise, encode, in_graph
):
    options = {} if image_format == "BMP" else {"orientation": 6}
    data = encode(noise(), image_format, **options)
    rng = np.random.default_rng(1)
    outcomes = set()
    for _ in range(100):
        broken = bytearray(data)
        # Sizes stay below 256 x 256 or go over the limit: no flip makes us decode 100 megapixels.
        broken[rng.integers(0, min(160, len(data)))] = rng.integers(256)
        broken = bytes(broken)
        try:
            header = read_header(broken)
            check_header(header, "a file")
            expected = decode_bytes(broken, header) if header.decoder == "graph" else None
        except InputError:
            expected = None
        try:
            found = in_graph(broken).numpy()
        except tf.errors.InvalidArgumentError:
            found = None
        outcomes.add(found is None)
        assert (found is None) == (expected is None)
        if found is not None:
            np.testing.assert_array_equal(found, expected)
    assert outcomes == {True, False}


def test_a_saved_model_decodes_and_refuses_alike(tmp_path, noise, encode, make_bomb, in_graph):
    module = tf.Module()
    module.decode = in_graph
    tf.saved_model.save(module, tmp_path / "model")
    loaded = tf.saved_model.load(tmp_path / "model")
    data = encode(noise(), "JPEG", orientation=6)
    np.testing.assert_array_equal(loaded.decode(data), in_graph(data))
    with pytest.raises(tf.errors.InvalidArgumentError, match="more pixels than the limit"):
        loaded.decode(make_bomb(20_000, 20_000))


def test_it_also_runs_eagerly_and_in_a_dataset(noise, encode, in_graph):
    data = [encode(noise(seed=seed), "JPEG", orientation=6) for seed in range(2)]
    np.testing.assert_array_equal(decode_bytes_in_graph(data[0]), in_graph(data[0]))
    images = list(map_dataset(tf.data.Dataset.from_tensor_slices(data), decode_bytes_in_graph))
    np.testing.assert_array_equal(images[1], in_graph(data[1]))
