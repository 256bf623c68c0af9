"""Requests that the server runs before it answers, so that the first client does not wait."""

from pathlib import Path

import numpy as np
import tensorflow as tf

from kerasad.errors import InputError
from kerasad.export.execution import WARMUP
from kerasad.export.signatures import SERVING_BYTES, SERVING_DEFAULT


def check_warmup_possible() -> None:
    """Raises an `InputError` unless the protocol's messages are installed."""
    try:
        from tensorflow_serving.apis import prediction_log_pb2  # noqa: F401
    except ImportError as error:
        raise InputError(
            'Warm-up requests need tensorflow-serving-api: run `pip install "kerasad[serving]"`, '
            "or export without them (--no-warmup; in Python warmup=False)."
        ) from error


def write_warmup(
    folder: Path, name: str, image_size: tuple[int, int], batch_sizes: list[int]
) -> None:
    """Writes `assets.extra/tf_serving_warmup_requests`: both signatures, each batch size.

    A TFRecord file of `PredictionLog`. Every image is grey, and stated once for its whole batch,
    so that the file stays small.

    Args:
        folder: Path of the version.
        name: str. The model's name.
        image_size: (height, width) in pixels.
        batch_sizes: ints, at least one.
    """
    from tensorflow_serving.apis import prediction_log_pb2

    png = tf.io.encode_png(np.full((*image_size, 3), 128, "uint8")).numpy()
    path = folder / WARMUP
    path.parent.mkdir()
    with tf.io.TFRecordWriter(str(path)) as writer:
        for size in batch_sizes:
            pixels = _repeated((size, *image_size, 3), dtype=tf.float32, float_val=[0.5])
            files = _repeated((size,), dtype=tf.string, string_val=[png])
            requests = {SERVING_DEFAULT: {"images": pixels}, SERVING_BYTES: {"image_bytes": files}}
            for signature, inputs in requests.items():
                log = prediction_log_pb2.PredictionLog()
                request = log.predict_log.request
                request.model_spec.name = name
                request.model_spec.signature_name = signature
                for key, tensor in inputs.items():
                    request.inputs[key].CopyFrom(tensor)
                writer.write(log.SerializeToString())


def _repeated(shape, dtype, **value):
    """A tensor whose last value stands for all that follow it."""
    from tensorflow.core.framework import tensor_pb2

    shape = tf.TensorShape(shape).as_proto()
    return tensor_pb2.TensorProto(dtype=dtype.as_datatype_enum, tensor_shape=shape, **value)
