"""From image bytes to pixels in TensorFlow operations alone, so that a SavedModel can hold them.

The header is checked before anything is decoded, exactly as `header.py` does it for files: what is
refused there is refused here, as INVALID_ARGUMENT.
"""

import tensorflow as tf

from kerasad.data.decoding.header import MAX_SEGMENTS, PNG_SIGNATURE
from kerasad.data.decoding.settings import Decoding

_MARGIN = 64  # zeros after the last byte, so that no field is read outside the data


def decode_bytes_in_graph(image_bytes, decoding: Decoding = Decoding(), position=None) -> tf.Tensor:
    """Decodes one PNG, JPEG or plain BMP (24 or 32 bits) file, Exif orientation included.

    Grey, palette and CMYK become three channels; alpha is dropped and the colours below it are
    kept. 8-bit values are divided by 255, 16-bit values by `max_value`, and limited to 1.

    Args:
        image_bytes: Scalar string tensor. A whole image file.
        decoding: `Decoding`.
        position: Scalar int tensor. The position of the file in its batch, for error messages.

    Returns:
        float32 (height, width, 3) in [0, 1].

    Raises:
        tf.errors.InvalidArgumentError: If the file is of another kind, broken, animated or over
            the limit. The limit is checked before any pixel is decoded.
    """
    image_bytes = tf.ensure_shape(tf.convert_to_tensor(image_bytes, tf.string), ())
    data = tf.concat([tf.io.decode_raw(image_bytes, tf.uint8), tf.zeros(_MARGIN, tf.uint8)], 0)
    which = [] if position is None else ["Position in the batch:", position]
    arguments = (image_bytes, data, decoding, which)
    image, start, length = tf.cond(
        _starts_with(data, PNG_SIGNATURE),
        lambda: _decode_png(*arguments),
        lambda: tf.cond(
            _starts_with(data, b"\xff\xd8\xff"),
            lambda: _decode_jpeg(*arguments),
            lambda: tf.cond(
                _starts_with(data, b"BM"), lambda: _decode_bmp(*arguments), lambda: _refuse(which)
            ),
        ),
    )
    image = _apply_orientation(image, _read_orientation(data, start, length))
    return tf.ensure_shape(image, (None, None, 3))


def scale_pixels(pixels, white: int) -> tf.Tensor:
    """Converts integer pixels to float32 in [0, 1]: the value over `white`, at most 1."""
    # A product with a rounded constant: an optimized graph may turn a division into one, which
    # then differs in the last bit from eager execution.
    return tf.minimum(tf.cast(pixels, tf.float32) * tf.constant(1.0 / white, tf.float32), 1.0)


# Each of the next four returns the image as stored, and the start and length of its Exif block.


def _decode_png(image_bytes, data, decoding, which):
    width, height, bits = _big_endian(data, 16, 4), _big_endian(data, 20, 4), data[24]
    start, length, animated, pixels_follow = _scan_png(data)
    checks = _check_size(height, width, decoding, which) + [
        tf.debugging.Assert(pixels_follow, ["The start of the PNG is broken.", *which]),
        tf.debugging.Assert(~animated, ["The PNG is animated; send one image.", *which]),
    ]
    with tf.control_dependencies(checks):
        image_bytes = tf.identity(image_bytes)
    image = tf.cond(
        tf.equal(bits, 16),
        lambda: scale_pixels(tf.io.decode_png(image_bytes, 3, tf.uint16), decoding.white),
        lambda: scale_pixels(tf.io.decode_png(image_bytes, 3), 255),
    )
    return image, start, length


def _decode_jpeg(image_bytes, data, decoding, which):
    start, length, pixels_follow = _scan_jpeg(data)
    shape = tf.cast(tf.image.extract_jpeg_shape(image_bytes), tf.int64)
    checks = _check_size(shape[0], shape[1], decoding, which) + [
        tf.debugging.Assert(pixels_follow, ["The start of the JPEG is broken.", *which])
    ]
    with tf.control_dependencies(checks):
        image_bytes = tf.identity(image_bytes)
    image = tf.io.decode_jpeg(image_bytes, 3, dct_method="INTEGER_ACCURATE")
    return scale_pixels(image, 255), start, length


def _decode_bmp(image_bytes, data, decoding, which):
    size, bits = _little_endian(data, 14, 4), _little_endian(data, 28, 2)
    plain = (size >= 40) & ((bits == 24) | (bits == 32)) & (_little_endian(data, 30, 4) == 0)
    sides = tf.bitcast(tf.reshape(data[18:26], (2, 4)), tf.int32)  # (width, height)
    sides = tf.cast(sides, tf.int64)
    message = "Only BMP files with 24 or 32 bits a pixel and no compression can be decoded here."
    checks = _check_size(tf.abs(sides[1]), sides[0], decoding, which) + [
        tf.debugging.Assert(plain, [message, *which])
    ]
    with tf.control_dependencies(checks):
        image_bytes = tf.identity(image_bytes)
    image = scale_pixels(tf.io.decode_bmp(image_bytes)[..., :3], 255)
    return image, _zero(), _zero()  # no Exif block


def _refuse(which):
    message = "The image bytes are neither a PNG, nor a JPEG, nor a BMP file."
    with tf.control_dependencies([tf.debugging.Assert(False, [message, *which])]):
        return tf.zeros((1, 1, 3)), _zero(), _zero()


def _check_size(height, width, decoding, which):
    found = ["Received height and width:", height, width, *which]
    empty = ["The image holds no pixels.", *found]
    limit = decoding.pixel_limit
    large = [f"The image has more pixels than the limit of {limit}.", *found]
    return [
        tf.debugging.Assert((height > 0) & (width > 0), empty),
        # Divided, since the product of two 32-bit sides may not fit.
        tf.debugging.Assert(height <= limit // tf.maximum(width, 1), large),
    ]


def _scan_png(data):
    """Scans the chunks before the pixels.

    Returns:
        Start and length of the Exif block, length 0 if there is none; whether the PNG is animated;
        whether pixels follow.
    """
    end = tf.size(data, tf.int64) - _MARGIN

    def is_chunk(position, name):
        return tf.reduce_all(tf.equal(data[position + 4 : position + 8], list(name)))

    def goes_on(position, start, length, animated):
        return (position + 12 <= end) & ~is_chunk(position, b"IDAT") & ~is_chunk(position, b"IEND")

    def step(position, start, length, animated):
        size = _big_endian(data, position, 4)
        is_exif = is_chunk(position, b"eXIf") & (length == 0)
        start = tf.where(is_exif, position + 8, start)
        length = tf.where(is_exif, size, length)
        return position + 12 + size, start, length, animated | is_chunk(position, b"acTL")

    first = (tf.constant(33, tf.int64), _zero(), _zero(), tf.constant(False))
    position, start, length, animated = tf.while_loop(
        goes_on, step, first, maximum_iterations=MAX_SEGMENTS - 1
    )
    position = tf.minimum(position, end)
    return start, length, animated, is_chunk(position, b"IDAT") & is_chunk(8, b"IHDR")


def _scan_jpeg(data):
    """Scans the segments before the pixels, as `_scan_png` does; a JPEG is never animated."""
    end = tf.size(data, tf.int64) - _MARGIN

    def goes_on(position, start, length):
        marker = data[position + 1]
        return (position + 4 <= end) & (data[position] == 0xFF) & (marker != 0xDA)

    def step(position, start, length):
        marker, size = data[position + 1], _big_endian(data, position + 2, 2)
        is_exif = (
            tf.equal(marker, 0xE1)
            & tf.reduce_all(tf.equal(data[position + 4 : position + 10], list(b"Exif\x00\x00")))
            & (length == 0)
        )
        start = tf.where(is_exif, position + 10, start)
        length = tf.where(is_exif, tf.maximum(size - 8, 0), length)
        # Bytes of 255 may fill the space before a marker.
        return position + tf.where(tf.equal(marker, 0xFF), _zero() + 1, size + 2), start, length

    position, start, length = tf.while_loop(
        goes_on, step, (_zero() + 2, _zero(), _zero()), maximum_iterations=MAX_SEGMENTS - 1
    )
    position = tf.minimum(position, end)
    return start, length, (data[position] == 0xFF) & (data[position + 1] == 0xDA)


def _read_orientation(data, start, length):
    """Returns the orientation, 1..8, in the Exif block; 1 if it has none. See `tiff_header`."""
    end = tf.size(data, tf.int64) - _MARGIN
    start = tf.minimum(start, end)
    block = data[start : tf.minimum(start + length, end)]
    size = tf.size(block, tf.int64)
    block = tf.concat([block, tf.zeros(_MARGIN, tf.uint8)], 0)
    little = tf.reduce_all(tf.equal(block[:2], list(b"II")))
    known = (little | tf.reduce_all(tf.equal(block[:2], list(b"MM")))) & (size >= 8)

    def number(position, length):
        return tf.where(
            little, _little_endian(block, position, length), _big_endian(block, position, length)
        )

    directory = number(4, 4)
    known &= directory + 2 <= size
    directory = tf.where(known, directory, 0)
    count = tf.minimum(number(directory, 2), (size - directory - 2) // 12)
    count = tf.where(known, tf.maximum(count, 0), 0)
    entries = tf.reshape(block[directory + 2 : directory + 2 + 12 * count], (-1, 12))
    pairs = tf.cast(tf.gather(entries, [0, 1, 2, 3, 8, 9], axis=1), tf.int32)
    pairs = tf.reshape(pairs, (-1, 3, 2))  # (entries, (tag, type, value), bytes)
    pairs = tf.where(little, pairs[..., ::-1], pairs)
    fields = 256 * pairs[..., 0] + pairs[..., 1]
    values = tf.boolean_mask(fields[:, 2], (fields[:, 0] == 274) & (fields[:, 1] == 3))
    value = tf.concat([values, [1]], 0)[0]
    return tf.where((value >= 1) & (value <= 8), value, 1)


def _apply_orientation(image, orientation):
    """Rotates and mirrors an image as its Exif orientation asks."""

    def is_one_of(*values):
        return tf.reduce_any(tf.equal(orientation, values))

    image = tf.cond(orientation >= 5, lambda: tf.transpose(image, (1, 0, 2)), lambda: image)
    image = tf.cond(is_one_of(2, 3, 6, 7), lambda: tf.reverse(image, [1]), lambda: image)
    return tf.cond(is_one_of(3, 4, 7, 8), lambda: tf.reverse(image, [0]), lambda: image)


def _starts_with(data, start):
    return tf.reduce_all(tf.equal(data[: len(start)], list(start)))


def _big_endian(data, position, length):
    """Returns the unsigned number of `length` <= 4 bytes at `position`, as int64."""
    digits = tf.cast(data[position : position + length], tf.int64)
    return tf.reduce_sum(digits * [256**power for power in reversed(range(length))])


def _little_endian(data, position, length):
    digits = tf.cast(data[position : position + length], tf.int64)
    return tf.reduce_sum(digits * [256**power for power in range(length)])


def _zero():
    return tf.constant(0, tf.int64)
