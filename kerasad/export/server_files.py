"""What TensorFlow Serving reads beside the versions: which model, and how requests are batched."""

import json
import math
import re
from pathlib import Path

from kerasad.files import replace_file

MODELS = "models.config"
BATCHING = "batching.config"
# A batch holds at most about so many pixels: 16 images of 256 x 256.
_BATCH_PIXELS = 16 * 256 * 256
_MOST = 16

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
# together are run together. One that cannot be used fails those that it was batched with.
# The warm-up requests of an export have these sizes.
max_batch_size {{ value: {largest} }}
batch_timeout_micros {{ value: 2000 }}
max_enqueued_batches {{ value: 100 }}
{sizes}
"""


def default_batch_sizes(image_size: tuple[int, int]) -> list[int]:
    """Powers of two from 1 to 16, fewer for images larger than 256 x 256.

    Args:
        image_size: (height, width) in pixels.
    """
    most = min(max(_BATCH_PIXELS // math.prod(image_size), 1), _MOST)
    return [2**power for power in range(most.bit_length())]


def read_batch_sizes(base: Path, image_size: tuple[int, int]) -> list[int]:
    """The batch sizes that the model's `batching.config` allows; the default without one."""
    path = base / BATCHING
    if path.is_file():
        text = re.sub(r"#.*", "", path.read_text(encoding="utf-8"))
        entries = re.findall(r"allowed_batch_sizes\s*:\s*(\[[^]]*\]|\d+)", text)
        sizes = sorted({int(size) for entry in entries for size in re.findall(r"\d+", entry)})
        if sizes:
            return sizes
    return default_batch_sizes(image_size)


def write_server_files(base: Path, image_size: tuple[int, int]) -> None:
    """Writes `models.config` and `batching.config` where there is none: they are the user's."""
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
            with replace_file(base / name) as work:
                work.write_text(text, encoding="utf-8")


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
