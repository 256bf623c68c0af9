"""The segments before the pixels of a PNG or JPEG, and its Exif orientation, in TensorFlow."""

import tensorflow as tf

from kerasad.data.decoding.header import MAX_SEGMENTS, PROGRESSIVE
from kerasad.data.decoding.numbers import big_endian, bytes_at, little_endian, size_of, zero
from kerasad.data.decoding.tiff_header import MAX_EXIF_BYTES, ORIENTATION


def scan_png(image_bytes):
    """Scans the chunks before the pixels.

    Returns:
        Start and length of the Exif block, length 0 if there is none; whether the PNG is animated;
        whether pixels follow; where.
    """
    end = size_of(image_bytes)

    def is_chunk(fields, name):
        return tf.reduce_all(tf.equal(fields[4:8], list(name)))

    def goes_on(position, fields, start, length, animated):
        return (position + 12 <= end) & ~is_chunk(fields, b"IDAT") & ~is_chunk(fields, b"IEND")

    def step(position, fields, start, length, animated):
        size = big_endian(fields[:4])
        is_exif = is_chunk(fields, b"eXIf") & (length == 0)
        start = tf.where(is_exif, position + 8, start)
        length = tf.where(is_exif, size, length)
        animated |= is_chunk(fields, b"acTL")
        position += 12 + size
        return position, bytes_at(image_bytes, position, 8), start, length, animated

    begin = zero() + 33
    first = (begin, bytes_at(image_bytes, begin, 8), zero(), zero(), tf.constant(False))
    position, fields, start, length, animated = tf.while_loop(
        goes_on, step, first, maximum_iterations=MAX_SEGMENTS - 1
    )
    pixels_follow = is_chunk(fields, b"IDAT") & is_chunk(bytes_at(image_bytes, 8, 8), b"IHDR")
    return start, length, animated, pixels_follow, position


def scan_jpeg(image_bytes):
    """Scans the segments before the pixels.

    Returns:
        Start and length of the Exif block, length 0 if there is none; whether pixels follow; where;
        whether they get finer from scan to scan.
    """
    end = size_of(image_bytes)

    def goes_on(position, fields, start, length, progressive):
        return (position + 4 <= end) & (fields[0] == 0xFF) & (fields[1] != 0xDA)

    def step(position, fields, start, length, progressive):
        marker, size = fields[1], big_endian(fields[2:4])
        is_exif = (
            tf.equal(marker, 0xE1)
            & tf.reduce_all(tf.equal(fields[4:10], list(b"Exif\x00\x00")))
            & (length == 0)
        )
        start = tf.where(is_exif, position + 10, start)
        length = tf.where(is_exif, tf.maximum(size - 8, 0), length)
        progressive |= tf.reduce_any(tf.equal(marker, PROGRESSIVE))
        # Bytes of 255 may fill the space before a marker.
        position += tf.where(tf.equal(marker, 0xFF), zero() + 1, size + 2)
        return position, bytes_at(image_bytes, position, 10), start, length, progressive

    first = (zero() + 2, bytes_at(image_bytes, 2, 10), zero(), zero(), tf.constant(False))
    position, fields, start, length, progressive = tf.while_loop(
        goes_on, step, first, maximum_iterations=MAX_SEGMENTS - 1
    )
    pixels_follow = (fields[0] == 0xFF) & (fields[1] == 0xDA)
    return start, length, pixels_follow, position, progressive


def read_orientation(image_bytes, start, length):
    """Returns the orientation, 1..8, in the Exif block; 1 if it has none. See `tiff_header`."""
    start = tf.minimum(start, size_of(image_bytes))
    block = tf.strings.substr(image_bytes, start, tf.minimum(length, MAX_EXIF_BYTES))
    size = size_of(block)
    little = tf.reduce_all(tf.equal(bytes_at(block, 0, 2), list(b"II")))
    known = little | tf.reduce_all(tf.equal(bytes_at(block, 0, 2), list(b"MM")))
    known &= size >= 8

    def number(position, length):
        digits = bytes_at(block, position, length)
        return tf.where(little, little_endian(digits), big_endian(digits))

    directory = number(4, 4)
    known &= directory + 2 <= size
    directory = tf.where(known, directory, 0)
    count = tf.minimum(number(directory, 2), (size - directory - 2) // 12)
    count = tf.where(known, tf.maximum(count, 0), 0)
    first = tf.minimum(directory + 2, size)
    entries = tf.io.decode_raw(tf.strings.substr(block, first, 12 * count), tf.uint8)
    pairs = tf.cast(tf.gather(tf.reshape(entries, (-1, 12)), [0, 1, 2, 3, 8, 9], axis=1), tf.int32)
    pairs = tf.reshape(pairs, (-1, 3, 2))  # (entries, (tag, type, value), bytes)
    pairs = tf.where(little, pairs[..., ::-1], pairs)
    fields = 256 * pairs[..., 0] + pairs[..., 1]
    values = tf.boolean_mask(fields[:, 2], (fields[:, 0] == ORIENTATION) & (fields[:, 1] == 3))
    value = tf.concat([values, [1]], 0)[0]
    return tf.where((value >= 1) & (value <= 8), value, 1)
