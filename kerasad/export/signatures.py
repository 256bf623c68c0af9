"""The two signatures of the served model: one takes pixels, the other image files."""

import tensorflow as tf

from kerasad.data.decoding import (
    Decoding,
    decode_bytes_in_graph,
    most_at_once,
    most_bytes_of_any,
)
from kerasad.data.geometry import make_valid, pack_inputs
from kerasad.overlay import ColourScale, draw_enlarged
from kerasad.tracing import compiled

SERVING_DEFAULT = "serving_default"
SERVING_BYTES = "serving_bytes"
OUTPUTS = (
    "anomaly_map",
    "anomaly_score",
    "p_value",
    "is_anomalous",
    "needs_review",
    "threshold",
    "review_threshold",
    "pixel_threshold",
    "attention_map",
)
# A client's resizing may overshoot [0, 1] a little.
_TOLERANCE = 0.1
# Few, since each file that is being decoded may have as many pixels as the limit allows.
_PARALLEL_FILES = 4


def build_served(detector, decoding: Decoding) -> tuple[tf.Module, dict]:
    """Traces the detector as two functions.

    - `serving_default` takes `images`, float32 (batch, height, width, 3) in [0, 1], of exactly the
      detector's size. No pixel counts as padding. Values that are not finite, or that lie more
      than 0.1 outside (such as pixels in 0..255), fail with INVALID_ARGUMENT.
    - `serving_bytes` takes `image_bytes`, string (batch,), each a PNG, JPEG or plain BMP file of
      any size. Files are decoded, turned and resized as in training; one that cannot be used, or
      has more pixels than the limit, fails the request with INVALID_ARGUMENT.

    Both return `OUTPUTS`, each with a leading batch dimension. `serving_bytes` adds
    `overlay_bytes`, string (batch,): PNG files on the detector's colour scale, outlined as
    `mark_pixels` says. For a detector that pads, it adds `image_size`, int32 (batch, 2):
    height and width of the picture at the top left of the maps. In the padding, `anomaly_map` is
    the low end of the colour scale, which is never above the threshold, and `attention_map` is 0;
    the overlay has none.

    Args:
        detector: a calibrated `AnomalyDetector`.
        decoding: Decoding.

    Returns:
        module: tf.Module with the variables that the functions read.
        signatures: dict of concrete functions, for `tf.saved_model.save`.

    Raises:
        InputError: The detector is not calibrated.
    """
    detector.decision.require_calibration()
    geometry = detector.geometry
    scale = ColourScale(detector.pixel_threshold)

    def serve_images(images):
        return _chosen(detector(_check_images(images, geometry)))

    def serve_bytes(image_bytes):
        image_bytes = tf.ensure_shape(image_bytes, (None,))
        images, sizes = _read_files(image_bytes, geometry, decoding)
        valid = None
        if geometry.keep_aspect:
            valid = _make_valid(sizes, geometry)
        outputs = _chosen(detector(pack_inputs(images, valid)))
        if geometry.keep_aspect:
            outputs["anomaly_map"] = tf.where(valid > 0.5, outputs["anomaly_map"], scale.low)
            outputs["attention_map"] = outputs["attention_map"] * valid
            outputs["image_size"] = sizes
        outputs["overlay_bytes"] = _draw_overlays(images, outputs, sizes, scale, geometry)
        return outputs

    pixels = tf.TensorSpec((None, *geometry.image_shape), name="images")
    files = tf.TensorSpec((None,), tf.string, name="image_bytes")
    signatures = {
        SERVING_DEFAULT: compiled(serve_images).get_concrete_function(pixels),
        SERVING_BYTES: compiled(serve_bytes).get_concrete_function(files),
    }
    module = tf.Module(name="kerasad")
    read = {id(v): v for function in signatures.values() for v in function.graph.variables}
    module.state = list(read.values())
    return module, signatures


def _chosen(outputs):
    # `identity` gives each a name of its own: outputs that share a tensor would be merged.
    return {name: tf.identity(outputs[name]) for name in OUTPUTS}


def _check_images(images, geometry):
    # A session does not check shapes against the signature, so the graph does.
    images = tf.ensure_shape(images, (None, *geometry.image_shape))
    lowest, highest = tf.reduce_min(images), tf.reduce_max(images)
    message = (
        "`images` must be finite and in [0, 1]; divide by the largest value, such as 255. "
        "Received the lowest and the highest value:"
    )
    # No comparison with a NaN is true.
    fits = (lowest >= -_TOLERANCE) & (highest <= 1 + _TOLERANCE)
    with tf.control_dependencies([tf.debugging.Assert(fits, [message, lowest, highest])]):
        return tf.identity(images)


def _check_sizes(image_bytes, most):
    """Refuses files that no limit admits before they are copied one by one."""
    sizes = tf.cast(tf.strings.length(image_bytes), tf.int64)
    message = f"A file has more than the {most} bytes that an image within the limit can need."
    which = ["Position in the batch:", tf.argmax(tf.concat([sizes, tf.zeros(1, tf.int64)], 0))]
    fits = tf.debugging.Assert(tf.reduce_all(sizes <= most), [message, *which])
    with tf.control_dependencies([fits]):
        return tf.identity(image_bytes)


def _read_files(image_bytes, geometry, decoding):
    """Returns images of the frame's size, and the size of the picture in each of them."""
    frame = (geometry.height, geometry.width)
    image_bytes = _check_sizes(image_bytes, most_bytes_of_any(decoding))

    def read(item):
        data, position = item
        return decode_bytes_in_graph(data, decoding, position, finish)

    def finish(pixels, white):
        image, valid = geometry.resize(pixels, white)
        size = tf.constant(frame, tf.int32)
        if valid is not None:
            sides = tf.reduce_any(valid > 0.5, axis=(1, 2)), tf.reduce_any(valid > 0.5, axis=(0, 2))
            size = tf.stack([tf.reduce_sum(tf.cast(side, tf.int32)) for side in sides])
        return tf.ensure_shape(image, geometry.image_shape), size

    return tf.map_fn(
        read,
        (image_bytes, tf.range(tf.size(image_bytes))),
        parallel_iterations=min(
            most_at_once(decoding.pixel_limit) or _PARALLEL_FILES, _PARALLEL_FILES
        ),
        fn_output_signature=(
            tf.TensorSpec(geometry.image_shape, tf.float32),
            tf.TensorSpec((2,), tf.int32),
        ),
    )


def _make_valid(sizes, geometry):
    return tf.map_fn(
        lambda size: make_valid(size[0], size[1], geometry.height, geometry.width),
        sizes,
        fn_output_signature=tf.TensorSpec((geometry.height, geometry.width, 1), tf.float32),
    )


def _draw_overlays(images, outputs, sizes, scale, geometry):
    def draw(item):
        image, anomaly_map, size, *decided = item
        if geometry.keep_aspect:
            image, anomaly_map = (x[: size[0], : size[1]] for x in (image, anomaly_map))
        return tf.io.encode_png(draw_enlarged(image, anomaly_map, scale, *decided))

    decided = outputs["is_anomalous"], outputs["needs_review"]
    items = (images, outputs["anomaly_map"], sizes, *decided)
    return tf.map_fn(draw, items, fn_output_signature=tf.TensorSpec((), tf.string))
