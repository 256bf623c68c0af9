"""Where data is: a folder of the user's, or the embedded demo written out once."""

import dataclasses
import os
from pathlib import Path

from kerasad.synthetic.demo import resolve_demo
from kerasad.training.config import RunConfig


def resolve_data(data: str | os.PathLike) -> Path:
    """The folder or file that `data` names.

    `demo` and `demo/NAME` stand for an embedded category, which is written to the user's cache
    folder the first time; what follows the name is a path inside it, as in `demo/brick/test`. A
    folder of the user's with such a name comes first.

    Raises:
        InputError: `demo/NAME` names none of the embedded categories.
    """
    path = Path(data).expanduser()
    parts = path.parts
    if path.exists() or parts[:1] != ("demo",):
        return path
    return Path(resolve_demo("/".join(parts[:2]))).joinpath(*parts[2:])


def full_path(data: str | os.PathLike) -> str:
    """`data` so that it means the same from any working folder; a demo keeps its name."""
    path = Path(data).expanduser()
    return str(path.absolute()) if path.exists() else str(data)


def with_full_paths(config: RunConfig) -> RunConfig:
    """`config` with every path in it so that it means the same from any working folder."""
    data = dataclasses.replace(
        config.data,
        path=full_path(config.data.path),
        labelled=None if config.data.labelled is None else full_path(config.data.labelled),
    )
    arguments = dict(config.model.arguments)
    for name in ("encoder_weights", "backbone_weights"):
        weights = arguments.get(name)
        # Anything else is a name, or the model's to refuse.
        if isinstance(weights, str | os.PathLike) and weights != "imagenet":
            arguments[name] = full_path(weights)
    model = dataclasses.replace(config.model, arguments=arguments)
    return dataclasses.replace(config, data=data, model=model)
