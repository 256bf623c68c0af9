"""What a run was asked to do: frozen dataclasses, JSON in and out, unknown keys are errors."""

import dataclasses
import difflib
import json
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from kerasad.errors import InputError

FORMAT = 1
"""Version of the layout of `config.json`; raised when a key changes its meaning."""

Section = TypeVar("Section")


@dataclass(frozen=True)
class DataConfig:
    """Where the images are and how they are read.

    Args:
        path: str. One category in MVTec layout, a plain folder of good images, or `demo/NAME`.
        image_size: str. `"HxW"` in pixels (height first), or one number for that area squared.
        batch_size: int. Images (or crops) a training step.
        split: three floats that sum to 1. Shares of train, validation and calibration.
        crop_size: str or None. Train on random crops of this size, written as `image_size` is,
            and predict in tiles of it.
        overlap: int. Pixels that neighbouring tiles share at least.
        max_value: int or None. Value of white in 16-bit files; None is 65535.
        cache_megabytes: int. Memory for decoded images; what does not fit is decoded each epoch.
        pixel_limit: int. Files with more pixels are refused before they are decoded.
        on_bad: `"skip"` or `"raise"`. What to do with a file that cannot be read.
        labelled: str or None. Folder of images labelled defective, for models that learn from some.
        labelled_share: float or None. Or so many of the defective test images, as a share of the
            training images, which then are test images no more.
    """

    path: str
    image_size: str = "256"
    batch_size: int = 16
    split: tuple[float, float, float] = (0.7, 0.1, 0.2)
    crop_size: str | None = None
    overlap: int = 32
    max_value: int | None = None
    cache_megabytes: int = 1024
    pixel_limit: int = 100_000_000
    on_bad: str = "skip"
    labelled: str | None = None
    labelled_share: float | None = None

    def __post_init__(self):
        """Checks what can be checked without looking at the data."""
        _refuse_below(1, self, "data", "batch_size", "pixel_limit")
        _refuse_below(0, self, "data", "overlap", "cache_megabytes")


@dataclass(frozen=True)
class ModelConfig:
    """Which model, and the arguments of its constructor that differ from their defaults."""

    name: str = "feature_vae_gan"
    arguments: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class TrainingConfig:
    """How the model is trained and the decision calibrated.

    Args:
        epochs: int or None. Passes over the training images; None makes as many
            steps of them as the model has shown to need.
        seed: int. Seeds the split, the order of the images, the weights and the noise.
        learning_rate: float or None. Adam's rate for encoder and decoder; None is the model's own.
        decay: `"none"`, `"cosine"` (the rate of encoder and decoder falls to 0 over the training)
            or None, the model's own.
        discriminator_learning_rate: float. Adam's rate for the discriminator.
        false_alarm_rate: float in (0, 1). Share of good images that may be called defective.
        review_rate: float in (0, 1) or None. Share of good images that may be called defective or
            to be looked at, above `false_alarm_rate`; None leaves no image to be looked at.
        strict: bool. Refuse a rate that so few calibration images cannot guarantee.
        synthetic_defects: int. Defects drawn on validation images to choose the experts' weights.
    """

    epochs: int | None = None
    seed: int = 0
    learning_rate: float | None = None
    decay: str | None = None
    discriminator_learning_rate: float = 2e-4
    false_alarm_rate: float = 0.05
    review_rate: float | None = None
    strict: bool = False
    synthetic_defects: int = 128

    def __post_init__(self):
        """Checks the values' ranges, which a training would only trip over at its end."""
        _refuse_below(1, self, "training", "epochs", "synthetic_defects")
        _refuse_below(0, self, "training", "seed")
        for name in ("learning_rate", "discriminator_learning_rate", "false_alarm_rate"):
            value, most = getattr(self, name), 1.0 if name == "false_alarm_rate" else float("inf")
            if value is not None and not 0.0 < value < most:
                raise InputError(
                    f"`training.{name}` must be between 0 and {most:g}, found {value}."
                )
        if self.decay not in (None, "none", "cosine"):
            raise InputError(f"`training.decay` must be 'none' or 'cosine', found {self.decay!r}.")
        if self.review_rate is not None and not self.false_alarm_rate < self.review_rate < 1.0:
            raise InputError(
                "`training.review_rate` must be between the false-alarm rate, "
                f"{self.false_alarm_rate}, and 1, found {self.review_rate}."
            )


@dataclass(frozen=True)
class RunConfig:
    """The whole of `config.json`."""

    data: DataConfig
    model: ModelConfig = field(default_factory=ModelConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)

    def to_json(self) -> str:
        """The configuration as indented JSON, ready to be read by `from_json`."""
        return json.dumps({"format": FORMAT, **dataclasses.asdict(self)}, indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str, source: str = "the configuration") -> "RunConfig":
        """The inverse of `to_json`.

        Args:
            text: str. JSON.
            source: str. What to call it in error messages, for example its path.

        Raises:
            InputError: Not JSON, a missing `data.path`, an unknown key or a value of a wrong type.
        """
        return cls.from_mapping(_parse(text, source), source)

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any], source: str = "the configuration"):
        """Builds the configuration from nested dictionaries; what is left out keeps its default."""
        values = dict(values)
        found = values.pop("format", FORMAT)
        if found != FORMAT:
            raise InputError(
                f"{source} has format {found!r}, this version of kerasad reads {FORMAT}: "
                "train again or use the version that wrote it."
            )
        _refuse_unknown(values, cls, source, "")
        data = values.get("data") or {}
        if isinstance(data, Mapping) and "path" not in data:
            raise InputError(f"{source} does not say where the images are: set `data.path`.")
        return cls(
            data=_build(DataConfig, values["data"], source, "data."),
            model=_build(ModelConfig, values.get("model", {}), source, "model."),
            training=_build(TrainingConfig, values.get("training", {}), source, "training."),
        )


def read_mapping(path: str | Path) -> dict[str, Any]:
    """Reads a JSON object from a file.

    Raises:
        InputError: The file is missing, is not JSON, or is not an object.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read: {error}.") from error
    return _parse(text, str(path))


def merge(
    base: Mapping[str, Any],
    changes: Mapping[str, Any],
    source: str = "the configuration",
    prefix: str = "",
) -> dict[str, Any]:
    """`base` with the leaves of `changes` put over it; nested dictionaries are merged.

    A `None` in `changes` means "not said" and changes nothing.

    Args:
        base: mapping.
        changes: mapping.
        source: str. What to call `base` in error messages.
        prefix: str. Keys that lead to `base`, as in `"model."`.

    Raises:
        InputError: `base` has a value where `changes` has a mapping.
    """
    merged = dict(base)
    for key, value in changes.items():
        if isinstance(value, Mapping):
            inner = merged.get(key)
            if not isinstance(inner, Mapping | None):
                raise InputError(f"`{prefix}{key}` in {source} must be an object, found {inner!r}.")
            merged[key] = merge(inner or {}, value, source, f"{prefix}{key}.")
        elif value is not None:
            merged[key] = value
    return merged


def load_config(path: str | Path) -> RunConfig:
    """Reads a configuration file.

    Raises:
        InputError: The file is missing, or its content is not a configuration.
    """
    return RunConfig.from_mapping(read_mapping(path), str(path))


def describe_difference(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> str | None:
    """Names the first leaf in which two nested dictionaries differ, or None if none does.

    Args:
        found: mapping, as read from a file.
        wanted: mapping, as asked for; tuples are as good as lists.
    """
    found, wanted = _flat(found), _flat(wanted)
    for name in {**wanted, **found}:
        if found.get(name) != wanted.get(name):
            return f"`{name}` is {found.get(name)!r} there, {wanted.get(name)!r} here"
    return None


def _flat(values: Any, prefix: str = "") -> dict[str, Any]:
    if not isinstance(values, Mapping):
        return {prefix[:-1]: list(values) if isinstance(values, tuple) else values}
    flat = {}
    for name, value in values.items():
        flat.update(_flat(value, f"{prefix}{name}."))
    return flat


def _parse(text: str, source: str) -> dict[str, Any]:
    try:
        values = json.loads(text)
    except json.JSONDecodeError as error:
        raise InputError(f"{source} is not valid JSON: {error}.") from error
    if not isinstance(values, dict):
        raise InputError(f"{source} must be a JSON object, found {type(values).__name__}.")
    return values


def _refuse_below(least: int, section: Any, prefix: str, *names: str) -> None:
    for name in names:
        value = getattr(section, name)
        if value is not None and value < least:
            raise InputError(f"`{prefix}.{name}` must be at least {least}, found {value}.")


def _build(section: type[Section], values: Any, source: str, prefix: str) -> Section:
    if not isinstance(values, Mapping):
        raise InputError(f"`{prefix[:-1]}` in {source} must be an object, found {values!r}.")
    _refuse_unknown(values, section, source, prefix)
    expected = typing.get_type_hints(section)
    checked = {
        key: _check(value, expected[key], f"`{prefix}{key}` in {source}")
        for key, value in values.items()
    }
    return section(**checked)


def _refuse_unknown(values: Mapping, section: type, source: str, prefix: str) -> None:
    known = [entry.name for entry in dataclasses.fields(section)]
    for key in values:
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            hint = f"did you mean `{prefix}{near[0]}`?" if near else f"known: {', '.join(known)}."
            raise InputError(f"`{prefix}{key}` in {source} is not a setting; {hint}")


def _check(value: Any, expected: Any, name: str) -> Any:
    """`value` in the field's own type, or an error that names the field."""
    if isinstance(expected, types.UnionType):
        if value is None:
            return None
        expected = next(kind for kind in typing.get_args(expected) if kind is not type(None))
    if typing.get_origin(expected) is tuple:
        length = len(typing.get_args(expected))
        if not isinstance(value, list | tuple) or len(value) != length:
            raise InputError(f"{name} must be a list of {length} numbers, found {value!r}.")
        return tuple(_check(entry, float, name) for entry in value)
    if typing.get_origin(expected) is dict:
        expected = dict
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if expected is float and is_number:
        return float(value)
    if expected is str and is_number:  # `"image_size": 256` is as good as "256"
        return str(value)
    if not isinstance(value, expected) or (expected is int and isinstance(value, bool)):
        raise InputError(f"{name} must be of type {expected.__name__}, found {value!r}.")
    return value
