"""What TensorFlow Serving reads besides a model: its configuration files and warm-up requests.

`models.config` says which model is served, `batching.config` how requests are batched. The server
runs the warm-up requests of a version before it answers, so that no client waits for them.
"""

import json
import math
import os
import re
from pathlib import Path

import numpy as np
import tensorflow as tf

from kerasad.errors import MissingPackageError
from kerasad.export.execution import WARMUP
from kerasad.export.signatures import SERVING_BYTES, SERVING_DEFAULT
from kerasad.files import sync

MODELS = "models.config"
BATCHING = "batching.config"
# Most pixels and most images of a batch.
_BATCH_PIXELS = 16 * 256 * 256
_BATCH_IMAGES = 16

_MODELS_TEXT = """\
# For tensorflow_model_server --model_config_file. The path is the one inside the container.
model_config_list {{
  config {{
    name: {name}
    base_path: {path}
    model_platform: "tensorflow"
    # By default the highest version is served. To choose, and to name versions:
    # model_version_policy {{ specific {{ versions: 1 versions: 2 }} }}
    # version_labels {{ key: "stable" value: 1 }}
    # version_labels {{ key: "canary" value: 2 }}
  }}
}}
"""

_BATCHING_TEXT = """\
# For tensorflow_model_server --enable_batching --batching_parameters_file. Requests that arrive
# together run as one batch. A request that cannot be used fails its whole batch.
# An export writes warm-up requests of these sizes.
max_batch_size {{ value: {largest} }}
batch_timeout_micros {{ value: 2000 }}
max_enqueued_batches {{ value: 100 }}
{sizes}
"""


def default_batch_sizes(image_size: tuple[int, int]) -> list[int]:
    """Returns the powers of two up to 16, or up to less for images larger than 256 x 256.

    Args:
        image_size: (height, width) in pixels.
    """
    most = min(max(_BATCH_PIXELS // math.prod(image_size), 1), _BATCH_IMAGES)
    return [2**power for power in range(most.bit_length())]


def read_batch_sizes(base: Path, image_size: tuple[int, int]) -> list[int]:
    """Returns the batch sizes that the model's `batching.config` allows, or the default."""
    path = base / BATCHING
    if path.is_file():
        text = re.sub(r"#.*", "", path.read_text(encoding="utf-8"))
        entries = re.findall(r"allowed_batch_sizes\s*:\s*(\[[^]]*\]|\d+)", text)
        sizes = sorted({int(size) for entry in entries for size in re.findall(r"\d+", entry)})
        if sizes:
            return sizes
    return default_batch_sizes(image_size)


def write_server_files(base: Path, image_size: tuple[int, int], scratch: Path) -> None:
    """Writes `models.config` and `batching.config` unless they exist: the user may edit them.

    They are written in `scratch` and renamed, so that nothing half-written stays there.
    """
    sizes = default_batch_sizes(image_size)
    texts = {
        MODELS: _MODELS_TEXT.format(name=_quoted(base.name), path=_quoted(f"/models/{base.name}")),
        BATCHING: _BATCHING_TEXT.format(
            largest=sizes[-1],
            sizes="\n".join(f"allowed_batch_sizes: {size}" for size in sizes),
        ),
    }
    for name, text in texts.items():
        if not (base / name).exists():
            work = scratch / name
            work.write_text(text, encoding="utf-8")
            sync(work)
            os.replace(work, base / name)


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def check_warmup_possible() -> None:
    """Raises a `MissingPackageError` unless the package with the server's messages is installed."""
    try:
        from tensorflow_serving.apis import prediction_log_pb2  # noqa: F401
    except ImportError as error:
        otherwise = "export without warm-up requests (--no-warmup; in Python warmup=False)"
        raise MissingPackageError.of_extra(
            "The export", "tensorflow-serving-api", "serving", otherwise
        ) from error


def write_warmup(
    folder: Path, name: str, image_size: tuple[int, int], batch_sizes: list[int]
) -> None:
    """Writes `assets.extra/tf_serving_warmup_requests`: both signatures at each batch size.

    It is a TFRecord file of `PredictionLog`. All images are grey, and a batch holds its image once,
    so that the file is small.

    Args:
        folder: Path of the version.
        name: str. The model's name.
        image_size: (height, width) in pixels.
        batch_sizes: list of int.
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
    """Returns a tensor whose one value stands for all of its elements."""
    from tensorflow.core.framework import tensor_pb2

    shape = tf.TensorShape(shape).as_proto()
    return tensor_pb2.TensorProto(dtype=dtype.as_datatype_enum, tensor_shape=shape, **value)
