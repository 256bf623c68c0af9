"""Options that verbs share, and the configuration that they make.

The options of data and training are made from the fields of their sections.
"""

import dataclasses
import itertools
import typing
from collections.abc import Callable
from typing import Any

import click

from kerasad.errors import InputError
from kerasad.files import read_json
from kerasad.training.config import DataConfig, ModelConfig, RunConfig, TrainingConfig
from kerasad.training.recipes import RECIPES
from kerasad.training.settings import base_type, merge

FOLDER = click.Path(file_okay=False)
ADACOS_CHOICES = ("pretext", "critic", "cluster", "instance", "weak", "none")
MODEL_ARGUMENTS = ("backbone", "latent", "latent_dim", "adacos")
"""Arguments of models that have an option."""


def combine_options(*options: Callable) -> Callable:
    """Returns several click options as one decorator, listed in the order given."""

    def decorate(function: Callable) -> Callable:
        for option in reversed(options):
            function = option(function)
        return function

    return decorate


def section_options(section: type, *names: str) -> Callable:
    """Returns the options of a section of the configuration.

    Args:
        section: dataclass with fields made by `kerasad.training.settings.setting`.
        *names: The fields to take; none stands for all that have a help text.
    """
    types = typing.get_type_hints(section)
    return combine_options(
        *(
            _make_option(field, base_type(types[field.name]))
            for field in dataclasses.fields(section)
            if "help" in field.metadata and (not names or field.name in names)
        )
    )


def _make_option(field: dataclasses.Field, kind: type) -> Callable:
    words = [f"--{field.name.replace('_', '-')}"]
    if "option" in field.metadata:
        words.append(field.metadata["option"])
    text = field.metadata["help"]
    if kind is bool:
        # No default: an option that is not given leaves the choice to the configuration file.
        return click.option(*words, is_flag=True, default=None, help=text)
    if field.default is not None and field.default != ():
        text += f" [default: {_join(field.default) if kind is tuple else field.default}]"
    if kind is tuple and not field.default:
        # A list of folders: the option is repeated, since a name may have a comma.
        return click.option(*words, multiple=True, callback=_none_if_empty, help=text)
    if "choices" in field.metadata:
        kind = click.Choice(field.metadata["choices"])
    return click.option(*words, type=str if kind is tuple else kind, help=text)


def _none_if_empty(context: click.Context, parameter: click.Parameter, values: tuple) -> Any:
    """An option that is not given leaves the choice to the configuration file."""
    return values or None


def _join(values: tuple) -> str:
    return ",".join(map(str, values))


ROI_OPTION = click.option(
    "--roi", help="Folder of the images' regions of interest, if each of the run's has its own."
)
FOLDER_OPTIONS = combine_options(section_options(DataConfig, "good", "bad", "masks"), ROI_OPTION)
INSPECT_OPTIONS = section_options(
    DataConfig,
    *(
        "good",
        "bad",
        "masks",
        "roi",
        "exclude",
        "group_by",
        "mask_foreground",
        "max_value",
        "pixel_limit",
    ),
)
MASK_OPTION = click.option(
    "--mask-foreground",
    help="Which pixels of a mask are defects, as for `train`. [default: what the run says]",
)
CONFIG_OPTION = click.option(
    "--config", type=click.Path(dir_okay=False), help="JSON; options win over it."
)
ARGUMENT_OPTIONS = combine_options(
    click.option(
        "--backbone",
        help="Pretrained network of a model on features: efficientnet_lite0 or efficientnet_lite2, "
        "a preset of keras-hub such as dinov2_small (is downloaded once), a folder with the files "
        "of a DINOv2 or DINOv3, a name of keras.applications. [default: efficientnet_lite0]",
    ),
    click.option("--latent", type=click.Choice(["conv", "dense"]), help="Form of the latent."),
    click.option("--latent-dim", type=int, help="Channels of the latent."),
    click.option("--adacos", type=click.Choice(ADACOS_CHOICES), help="Classes of the AdaCos loss."),
)
SEARCHED_MODEL = "feature_vae_gan"
"""The model of `tune`: that of `train` has nothing to search."""


def model_options(default: str = ModelConfig().name) -> Callable:
    """Returns the decorator that adds the options of a model and of its configuration file."""
    choice = click.Choice(list(RECIPES))
    model = click.option("--model", type=choice, help=f"[default: {default}]")
    return combine_options(CONFIG_OPTION, model, ARGUMENT_OPTIONS)


def resolve_config(
    data: str, path: str | None, options: dict[str, Any], model: str = ModelConfig().name
) -> RunConfig:
    """Returns the defaults, under the configuration file, under the options that were given."""
    source = path or "the command line"
    values = {} if path is None else read_json(path, keys=())
    options = dict(options)
    if options["split"] is not None:
        options["split"] = read_list("split", options["split"], float, "numbers such as .7,.1,.2")
    named = {name: options[name] for name in MODEL_ARGUMENTS}
    given = {
        "data": {**_fields(DataConfig, options), "path": data},
        "model": {"name": options.get("model"), "arguments": named},
        "training": _fields(TrainingConfig, options),
    }
    for name, other in itertools.permutations(("labelled", "labelled_share")):
        if options[name] is not None and options[other] is None:
            # Two ways to say the same; merging would leave both.
            values = merge(values, {"data": {}}, source)
            values["data"].pop(other, None)
    values = merge(values, given, source)
    values["model"].setdefault("name", model)
    return RunConfig.from_mapping(values, source)


def _fields(section: type, options: dict[str, Any]) -> dict[str, Any]:
    return {
        field.name: options[field.name]
        for field in dataclasses.fields(section)
        if field.name in options
    }


def read_list(name: str, text: str, kind: Callable[[str], Any], what: str) -> list[Any]:
    """Reads an option of values with commas between.

    Raises:
        InputError: A value is of another kind.
    """
    try:
        return [kind(part) for part in text.split(",")]
    except ValueError as error:
        raise InputError(f"--{name} {text} is not {what}.") from error


def given(options: dict[str, Any]) -> dict[str, Any]:
    """Returns the options that were given."""
    return {name: value for name, value in options.items() if value is not None}
