"""Names of EfficientNet-Lite0's tensors: from those of its pip package to those of timm."""

import re

# Blocks of each stage; timm counts them stage by stage, the package without stages.
_STAGES = (1, 2, 2, 3, 3, 4, 1)
_OUTSIDE = {
    "_conv_stem": "conv_stem",
    "_bn0": "bn1",
    "_conv_head": "conv_head",
    "_bn1": "bn2",
    "_fc": "classifier",
}
_FIRST_BLOCK = {
    "_depthwise_conv": "conv_dw",
    "_bn1": "bn1",
    "_project_conv": "conv_pw",
    "_bn2": "bn2",
}
_OTHER_BLOCKS = {
    "_expand_conv": "conv_pw",
    "_bn0": "bn1",
    "_depthwise_conv": "conv_dw",
    "_bn1": "bn2",
    "_project_conv": "conv_pwl",
    "_bn2": "bn3",
}
HEAD = ("conv_head.", "bn2.", "classifier.")
"""Beginnings of timm's names of what comes after the last block."""

TIMM_NAME = "tf_efficientnet_lite0"
STAGES_OF_TAPS = {"block_2": "blocks.1", "block_4": "blocks.2", "block_10": "blocks.4"}
"""Where timm gives the features that kerasad calls so: after the stage that ends with the block."""


def timm_name(name):
    """Returns timm's name of a tensor: `_blocks.3._bn0.bias` is `blocks.2.0.bn1.bias`.

    Raises:
        ValueError: There is no such tensor in EfficientNet-Lite0.
    """
    block = re.fullmatch(r"_blocks\.(\d+)\.(\w+)\.(\w+)", name)
    try:
        if block is None:
            module, part = name.split(".")
            return f"{_OUTSIDE[module]}.{part}"
        number, module, part = int(block[1]), block[2], block[3]
        names = _OTHER_BLOCKS if number else _FIRST_BLOCK
        stage, place = _place_of_block(number)
        return f"blocks.{stage}.{place}.{names[module]}.{part}"
    except (KeyError, ValueError) as error:
        raise ValueError(f"EfficientNet-Lite0 has no tensor {name!r}.") from error


def to_timm(tensors, with_head=True):
    """Returns the tensors under timm's names; without `with_head`, up to the last block."""
    renamed = {timm_name(name): tensor for name, tensor in tensors.items()}
    if len(renamed) != len(tensors):
        raise ValueError("Two tensors of the file have one name in timm.")
    return {
        name: tensor for name, tensor in renamed.items() if with_head or not name.startswith(HEAD)
    }


def _place_of_block(number):
    for stage, count in enumerate(_STAGES):
        if number < count:
            return stage, number
        number -= count
    raise ValueError("no such block")
