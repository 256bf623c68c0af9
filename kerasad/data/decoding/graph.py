"""From image bytes to pixels in TensorFlow operations alone, so that a SavedModel can hold them.

The header is checked before anything is decoded, exactly as `header.py` and `limits.py` do it for
files: what is refused there is refused here, as INVALID_ARGUMENT. Only the few bytes that are asked
for are copied out of a file.
"""

import functools
from collections.abc import Callable

import tensorflow as tf

from kerasad.data.decoding import limits
from kerasad.data.decoding.graph_headers import read_orientation, scan_jpeg, scan_png
from kerasad.data.decoding.graph_stream import check_stream
from kerasad.data.decoding.header import PNG_SIGNATURE
from kerasad.data.decoding.numbers import big_endian, bytes_at, little_endian, size_of, zero
from kerasad.data.decoding.settings import Decoding


def decode_bytes_in_graph(
    image_bytes,
    decoding: Decoding = Decoding(),
    position=None,
    finish: Callable | None = None,
    is_checked: bool = False,
) -> tf.Tensor:
    """Decodes one PNG, JPEG or plain BMP (24 or 32 bits) file, Exif orientation included.

    Grey, palette and CMYK become three channels; alpha is dropped and the colours below it are
    kept. 8-bit values are divided by 255, 16-bit values by `max_value`, and limited to 1.

    Args:
        image_bytes: Scalar string tensor. A whole image file.
        decoding: `Decoding`.
        position: Scalar int tensor. The position of the file in its batch, for error messages.
        finish: Function of integer pixels (height, width, 3) and the value that is white, such as
            `Geometry.resize`: a resize before the division needs a quarter of the memory. Defaults
            to `scale_pixels`.
        is_checked: bool. Whether `check_content` has seen the file: then the stream of a PNG is not
            unpacked once more, only to know what follows on the pixels.

    Returns:
        What `finish` returns: float32 (height, width, 3) in [0, 1] by default.

    Raises:
        tf.errors.InvalidArgumentError: If the file is of another kind, broken, animated or over
            a limit. Limits are checked before any pixel is decoded.
        tf.errors.DataLossError: If the stream of a large PNG is broken.
    """
    image_bytes = tf.ensure_shape(tf.convert_to_tensor(image_bytes, tf.string), ())
    which = [] if position is None else ["Position in the batch:", position]
    arguments = (image_bytes, decoding, which)

    def starts_with(start):
        return tf.reduce_all(tf.equal(bytes_at(image_bytes, 0, len(start)), list(start)))

    starts = (PNG_SIGNATURE, b"\xff\xd8\xff", b"BM")
    kind = tf.argmax(tf.cast([starts_with(start) for start in starts] + [True], tf.int32))
    check_png = functools.partial(_check_png, is_checked=is_checked)
    checks = [check_png, _check_jpeg, _check_bmp, _refuse]
    start, length, deep = tf.switch_case(
        tf.cast(kind, tf.int32), [lambda check=check: check(*arguments) for check in checks]
    )
    orientation = read_orientation(image_bytes, start, length)
    with tf.control_dependencies([start]):
        image_bytes = tf.identity(image_bytes)

    def finish_pixels(pixels, white):
        pixels = _apply_orientation(pixels, orientation)
        return (finish or scale_pixels)(tf.ensure_shape(pixels, (None, None, 3)), white)

    def deep_pixels():
        pixels = tf.io.decode_png(image_bytes, 3, tf.uint16)
        return finish_pixels(limit_pixels(pixels, decoding.white), decoding.white)

    def plain_pixels():
        decoders = [
            lambda: tf.io.decode_png(image_bytes, 3),
            lambda: tf.io.decode_jpeg(image_bytes, 3, dct_method="INTEGER_ACCURATE"),
            lambda: tf.io.decode_bmp(image_bytes)[..., :3],
        ]
        return finish_pixels(tf.switch_case(tf.cast(kind, tf.int32), decoders), 255)

    return tf.cond(deep, deep_pixels, plain_pixels)


def limit_pixels(pixels, white: int) -> tf.Tensor:
    """Limits integer pixels to the value that is white."""
    pixels = tf.convert_to_tensor(pixels)
    return pixels if white >= pixels.dtype.max else tf.minimum(pixels, tf.cast(white, pixels.dtype))


def scale_pixels(pixels, white: int) -> tf.Tensor:
    """Converts integer pixels to float32 in [0, 1]: the value over `white`, at most 1."""
    # A product with a rounded constant: an optimized graph may turn a division into one, which
    # then differs in the last bit from eager execution.
    return tf.minimum(tf.cast(pixels, tf.float32) * tf.constant(1.0 / white, tf.float32), 1.0)


# Each of the next four checks a file, and returns the start and length of its Exif block, and
# whether its pixels have 16 bits.


def _check_png(image_bytes, decoding, which, is_checked=False):
    fields = bytes_at(image_bytes, 16, 10)
    width, height = big_endian(fields[:4]), big_endian(fields[4:8])
    bits, colour = fields[8], fields[9]
    start, length, animated, pixels_follow, begin = scan_png(image_bytes)
    deep = tf.equal(bits, 16)
    weight = tf.where(deep, zero() + 2, 1)
    channels = tf.where(tf.equal(colour, 0), zero() + 1, 3)
    channels = tf.where(tf.equal(colour, 4), zero() + 2, channels)
    channels = tf.where(tf.equal(colour, 6), zero() + 4, channels)
    checks = _check_size(height, width, weight, decoding, which) + [
        tf.debugging.Assert(pixels_follow, ["The start of the PNG is broken.", *which]),
        tf.debugging.Assert(~animated, ["The PNG is animated; send one image.", *which]),
    ]
    with tf.control_dependencies(checks):  # so that no product overflows
        raw = tf.identity(height) * width * channels * weight
    most = begin + raw + raw // limits.PNG_GROWTH + height + width + limits.PNG_EXTRA_BYTES
    with tf.control_dependencies(_check_bytes(image_bytes, begin, most, which)):
        image_bytes = tf.identity(image_bytes)  # to count in a file of bounded size only
    found = [
        _count(image_bytes, text, limits.MAX_COMPRESSED_TEXTS) for text in limits.COMPRESSED_TEXTS
    ]
    message = f"The PNG has more than {limits.MAX_COMPRESSED_TEXTS} compressed texts."
    few = tf.reduce_max(found) <= limits.MAX_COMPRESSED_TEXTS
    checks = [tf.debugging.Assert(few, [message, *which])]
    if not is_checked:
        checks.append(check_stream(image_bytes, begin, raw + 2 * (height + width), which))
    with tf.control_dependencies(checks):
        return tf.identity(start), length, deep


def _check_jpeg(image_bytes, decoding, which):
    start, length, pixels_follow, begin, progressive = scan_jpeg(image_bytes)
    shape = tf.cast(tf.image.extract_jpeg_shape(image_bytes), tf.int64)
    checks = _check_size(shape[0], shape[1], 1, decoding, which) + [
        tf.debugging.Assert(pixels_follow, ["The start of the JPEG is broken.", *which])
    ]
    with tf.control_dependencies(checks):
        pixels = tf.identity(shape[0]) * shape[1]
    checks = _check_bytes(
        image_bytes, begin, shape[0] * (shape[1] * shape[2] + 3) + limits.EXTRA_BYTES, which
    )
    enough = pixels <= limits.JPEG_PIXELS_PER_BYTE * size_of(image_bytes)
    checks.append(
        tf.debugging.Assert(enough, ["The JPEG has too few bytes for its pixels.", *which])
    )
    first = tf.cast(bytes_at(image_bytes, begin + 4, 1)[0], tf.int64)
    scans = tf.cond(
        progressive | tf.not_equal(first, shape[2]),
        lambda: _count(
            tf.strings.substr(image_bytes, begin, -1), limits.MARKER_OF_SCAN, limits.MAX_SCANS
        ),
        lambda: 1,
    )
    message = f"The JPEG has more than {limits.MAX_SCANS} scans."
    checks.append(tf.debugging.Assert(scans <= limits.MAX_SCANS, [message, *which]))
    with tf.control_dependencies(checks):
        return tf.identity(start), length, tf.constant(False)


def _check_bmp(image_bytes, decoding, which):
    fields = bytes_at(image_bytes, 14, 20)
    size, bits = little_endian(fields[:4]), little_endian(fields[14:16])
    plain = (size >= 40) & ((bits == 24) | (bits == 32)) & (little_endian(fields[16:20]) == 0)
    sides = tf.bitcast(tf.reshape(fields[4:12], (2, 4)), tf.int32)  # (width, height)
    sides = tf.cast(sides, tf.int64)
    height, width = tf.abs(sides[1]), sides[0]
    message = "Only BMP files with 24 or 32 bits a pixel and no compression can be decoded here."
    weight = tf.where(tf.equal(bits, 32), zero() + 2, 1)
    checks = _check_size(height, width, weight, decoding, which) + [
        tf.debugging.Assert(plain, [message, *which])
    ]
    with tf.control_dependencies(checks):
        row = tf.identity(width) * (bits // 8) + 3
        most = height * row + limits.BMP_EXTRA_BYTES
    with tf.control_dependencies(_check_bytes(image_bytes, zero(), most, which)):
        return zero(), zero(), tf.constant(False)  # no Exif block


def _refuse(image_bytes, decoding, which):
    message = "The image bytes are neither a PNG, nor a JPEG, nor a BMP file."
    with tf.control_dependencies([tf.debugging.Assert(False, [message, *which])]):
        return zero(), zero(), tf.constant(False)


def _check_size(height, width, weight, decoding, which):
    found = ["Received height and width:", height, width, *which]
    empty = ["The image holds no pixels.", *found]
    limit = decoding.pixel_limit
    large = [f"The image has more pixels than the limit of {limit}.", *found]
    # Divided, since the product of two 32-bit sides may not fit.
    fits = height <= limit // weight // tf.maximum(width, 1)
    long = [f"A side of the image is longer than {limits.MAX_SIDE}.", *found]
    return [
        tf.debugging.Assert((height > 0) & (width > 0), empty),
        tf.debugging.Assert(fits, large),
        tf.debugging.Assert(tf.maximum(height, width) <= limits.MAX_SIDE, long),
    ]


def _check_bytes(image_bytes, begin, most, which):
    size = size_of(image_bytes)
    large = ["The file has more bytes than its pixels can need:", size, *which]
    late = ["The pixels begin late in the file, at byte", begin, *which]
    return [
        tf.debugging.Assert(size <= most, large),
        tf.debugging.Assert(begin <= limits.EXTRA_BYTES, late),
    ]


def _count(image_bytes, part, most):
    """Returns how often a part occurs, counted up to one more than `most`."""
    return tf.size(tf.strings.split(image_bytes, part, maxsplit=most + 1)) - 1


def _apply_orientation(image, orientation):
    """Rotates and mirrors an image as its Exif orientation asks."""

    def is_one_of(*values):
        return tf.reduce_any(tf.equal(orientation, values))

    image = tf.cond(orientation >= 5, lambda: tf.transpose(image, (1, 0, 2)), lambda: image)
    image = tf.cond(is_one_of(2, 3, 6, 7), lambda: tf.reverse(image, [1]), lambda: image)
    return tf.cond(is_one_of(3, 4, 7, 8), lambda: tf.reverse(image, [0]), lambda: image)
