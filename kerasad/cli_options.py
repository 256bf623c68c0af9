"""Options that verbs share, and the configuration that they make."""

import itertools
from collections.abc import Callable
from typing import Any

import click

from kerasad.errors import InputError
from kerasad.models.adacos_modes import ADACOS_MODES, LABELLED_ADACOS_MODES
from kerasad.training.config import (
    DataConfig,
    ModelConfig,
    RunConfig,
    TrainingConfig,
    merge,
    read_mapping,
)
from kerasad.training.recipes import RECIPES

FOLDER = click.Path(file_okay=False)


def show_default(section: type, name: str) -> str:
    """The default of a setting, as `--help` shows it."""
    return f"[default: {section.__dataclass_fields__[name].default}]"


def combine_options(*options):
    """Several click options as one decorator, listed in the order given."""

    def decorate(function):
        for option in reversed(options):
            function = option(function)
        return function

    return decorate


CONFIG_OPTION = click.option(
    "--config", type=click.Path(dir_okay=False), help="JSON; options win over it."
)
ARGUMENT_OPTIONS = combine_options(
    click.option("--latent", type=click.Choice(["conv", "dense"]), help="Form of the latent."),
    click.option("--latent-dim", type=int, help="Channels of the latent."),
    click.option(
        "--adacos",
        type=click.Choice([*ADACOS_MODES, *LABELLED_ADACOS_MODES, "none"]),
        help="Classes of the AdaCos term.",
    ),
)
MODEL_OPTIONS = combine_options(
    CONFIG_OPTION,
    click.option(
        "--model", type=click.Choice(list(RECIPES)), help=show_default(ModelConfig, "name")
    ),
    ARGUMENT_OPTIONS,
)
DATA_OPTIONS = combine_options(
    click.option("--image-size", help=f"256 or 256x640. {show_default(DataConfig, 'image_size')}"),
    click.option("--batch-size", type=int, help=show_default(DataConfig, "batch_size")),
    click.option("--split", help="Shares train,validation,calibration. [default: 0.7,0.1,0.2]"),
    click.option("--crop-size", "--tile", help="Train on crops, predict in tiles of this size."),
    click.option("--overlap", type=int, help="Pixels that tiles share. [default: 32]"),
    click.option("--max-value", type=int, help="White in 16-bit files; 4095 for 12-bit cameras."),
    click.option("--cache-megabytes", type=int, help=show_default(DataConfig, "cache_megabytes")),
    click.option("--pixel-limit", type=int, help=show_default(DataConfig, "pixel_limit")),
    click.option("--labelled", type=FOLDER, help="Folder of defective images to learn from."),
    click.option(
        "--labelled-share",
        type=float,
        help="Or: some test images, as a share of the training images.",
    ),
    click.option(
        "--on-bad", type=click.Choice(["skip", "raise"]), help="Files that cannot be read."
    ),
)
EPOCHS_OPTION = click.option("--epochs", type=int, help="[default: 300 to 600 steps, by the model]")
TRAINING_OPTIONS = combine_options(
    EPOCHS_OPTION,
    click.option("--seed", type=int, help=show_default(TrainingConfig, "seed")),
)


def resolve_config(data: str, path: str | None, options: dict[str, Any]) -> RunConfig:
    """Defaults, under the configuration file, under the options that were given."""
    values = {} if path is None else read_mapping(path)
    if options["split"] is not None:
        options["split"] = read_list("split", options["split"], float, "numbers such as .7,.1,.2")
    named = {name: options[name] for name in ("latent", "latent_dim", "adacos")}
    given = {
        "data": {name: options[name] for name in options if _is_field(DataConfig, name)},
        "model": {"name": options["model"], "arguments": named},
        "training": {name: options[name] for name in options if _is_field(TrainingConfig, name)},
    }
    given["data"]["path"] = data
    source = path or "the command line"
    for name, other in itertools.permutations(("labelled", "labelled_share")):
        if options[name] is not None and options[other] is None:
            # Two ways to say the same; merging would leave both.
            values = merge(values, {"data": {}}, source)
            values["data"].pop(other, None)
    return RunConfig.from_mapping(merge(values, given, source), source)


def _is_field(section: type, name: str) -> bool:
    return name in section.__dataclass_fields__


def read_list(name: str, text: str, kind: Callable[[str], Any], what: str) -> list[Any]:
    """Reads an option of values with commas between; one that is of another kind is refused."""
    try:
        return [kind(part) for part in text.split(",")]
    except ValueError as error:
        raise InputError(f"--{name} {text} is not {what}.") from error
