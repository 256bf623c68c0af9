"""Where data is: in a folder of the user, or in the embedded demo."""

import dataclasses
import os
from pathlib import Path

from kerasad.synthetic.demo import resolve_demo
from kerasad.training.config import RunConfig


def resolve_data(data: str | os.PathLike) -> Path:
    """Returns the folder or file that `data` names.

    `demo` and `demo/NAME` name an embedded category, which is written to the cache folder of the
    user once; a path inside it may follow, as in `demo/brick/test`. An existing folder of that
    name takes precedence.

    Raises:
        InputError: There is no such embedded category.
    """
    path = Path(data).expanduser()
    parts = path.parts
    if path.exists() or parts[:1] != ("demo",):
        return path
    return Path(resolve_demo("/".join(parts[:2]))).joinpath(*parts[2:])


def full_path(data: str | os.PathLike) -> str:
    """Returns an absolute path, or the name of a demo as it is."""
    path = Path(data).expanduser()
    return str(path.absolute()) if path.exists() else str(data)


def with_full_paths(config: RunConfig) -> RunConfig:
    """Returns `config` with absolute paths, so that it holds in any working folder."""
    data = dataclasses.replace(
        config.data,
        path=full_path(config.data.path),
        labelled=None if config.data.labelled is None else full_path(config.data.labelled),
    )
    arguments = dict(config.model.arguments)
    for name in ("encoder_weights", "backbone_weights"):
        weights = arguments.get(name)
        # Other values are names, or refused by the model.
        if isinstance(weights, str | os.PathLike) and weights != "imagenet":
            arguments[name] = full_path(weights)
    model = dataclasses.replace(config.model, arguments=arguments)
    return dataclasses.replace(config, data=data, model=model)
