"""How far the compressed stream of a PNG goes, in TensorFlow: see `png_stream`.

TensorFlow unpacks a stream only as a whole, into memory, but also the start of one. So ever longer
starts are unpacked, each so little longer than the last that it cannot unpack to gigabytes.
"""

import tensorflow as tf

from kerasad.data.decoding.numbers import big_endian, bytes_at, size_of, zero
from kerasad.data.decoding.png_stream import LEAST_PER_CHUNK, MOST_BEHIND_PIXELS

# Unpacks to 540 MB at most.
STEP = 2**19
# The starts of one stream may unpack to so much together, which takes about two seconds. It is
# enough for all starts of a stream that unpacks to SURE bytes (4 megapixels of four channels). The
# starts of larger ones would take too long: only the first are looked at, which finds zeros behind
# pixels that are zeros too.
SURE, MOST_IN_ALL, MOST_OF_LARGE = 33 * 2**19, 5 * 2**27, 2**26


def check_stream(image_bytes, start, most_unpacked, which) -> tf.Operation:
    """Returns an operation that refuses a stream that goes on far behind the pixels.

    Args:
        image_bytes: Scalar string tensor. A PNG file.
        start: Scalar int64 tensor. Where its first chunk of pixels begins.
        most_unpacked: Scalar int64 tensor. Bytes of its pixels, unpacked; more is allowed.
        which: List. What to add to messages.

    Raises:
        tf.errors.InvalidArgumentError: If far more follows on the pixels.
        tf.errors.DataLossError: If the stream is broken.
    """
    is_large = size_of(image_bytes) - start > MOST_BEHIND_PIXELS

    def look():
        stream, is_whole = _join_chunks(image_bytes, start)
        return is_whole, is_whole & _goes_on(stream, most_unpacked)

    is_whole, goes_on = tf.cond(is_large, look, lambda: (True, False))
    message = f"The pixels of the PNG are in chunks of less than {LEAST_PER_CHUNK} bytes."
    whole = tf.debugging.Assert(is_whole, [message, *which])
    ends = tf.debugging.Assert(~goes_on, ["Too much follows on the pixels of the PNG.", *which])
    return tf.group(whole, ends)


def _join_chunks(image_bytes, start):
    """Returns the contents of the chunks of pixels, and whether these are all of them."""
    end = size_of(image_bytes)
    most = (end - start) // LEAST_PER_CHUNK

    def holds_pixels(position):
        kind = bytes_at(image_bytes, position + 4, 4)
        return (position + 8 <= end) & tf.reduce_all(tf.equal(kind, list(b"IDAT")))

    def step(number, position, parts):
        size = big_endian(bytes_at(image_bytes, position, 4))
        begin = tf.minimum(position + 8, end)
        parts = parts.write(number, tf.strings.substr(image_bytes, begin, size))
        return number + 1, position + size + 12, parts

    _, position, parts = tf.while_loop(
        lambda number, position, parts: (tf.cast(number, tf.int64) < most) & holds_pixels(position),
        step,
        (0, start, tf.TensorArray(tf.string, 0, dynamic_size=True, element_shape=())),
        parallel_iterations=1,
    )
    return tf.strings.reduce_join(parts.stack()), ~holds_pixels(position)


def _goes_on(stream, most_unpacked):
    """Returns whether all pixels are in the stream before its last part."""
    end = size_of(stream) - MOST_BEHIND_PIXELS
    budget = tf.where(most_unpacked <= SURE, zero() + MOST_IN_ALL, MOST_OF_LARGE)

    def goes_on(place, count, total):
        return (place < end) & (count < most_unpacked) & (total < budget)

    def step(place, count, total):
        place = tf.minimum(place + STEP, end)
        count = size_of(tf.io.decode_compressed(tf.strings.substr(stream, zero(), place), "ZLIB"))
        return place, count, total + count

    first = (zero(), zero(), zero())
    _, count, _ = tf.while_loop(goes_on, step, first, parallel_iterations=1)
    return count >= most_unpacked
