"""What a run is asked to do: frozen dataclasses with one loader.

A field carries its help text, its limits and who uses it, see `setting`. The command line makes its
options from the fields, so one more setting is one more field here, and the code that uses it.
"""

import dataclasses
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kerasad.errors import InputError
from kerasad.files import read_json, write_json
from kerasad.training.settings import Checked, build_section, refuse_unknown, setting

if TYPE_CHECKING:
    from kerasad.data.decoding import Decoding

FORMAT = 3
"""Version of `config.json`; raised when old files would be misread."""


@dataclass(frozen=True)
class DataConfig(Checked):
    """Where the images are and how they are read.

    A field without a `user` is an argument of `load_category`; one of the user `"decoding"` is a
    field of `Decoding`.
    """

    section = "data"

    path: str = field(metadata={"user": "locations"})
    image_size: str = setting("256", "HxW in pixels, height first; or 256 for 256 x 256 in area.")
    batch_size: int | None = setting(
        None, "Images, or crops, in a training step. [default: by model]", at_least=1
    )
    split: tuple[float, float, float] = setting(
        (0.7, 0.1, 0.2), "Shares of train, validation and calibration."
    )
    crop_size: str | None = setting(
        None, "Train on crops of this size and predict in tiles of it.", option="--tile"
    )
    overlap: int | None = setting(
        None,
        "Pixels that neighbouring tiles share. [default: 32, at most half a tile]",
        user="detector",
        at_least=0,
    )
    max_value: int | None = setting(
        None, "White in 16-bit files: 4095 for 12-bit cameras.", user="decoding"
    )
    cache_megabytes: int = setting(1024, "Memory for decoded images.", at_least=0)
    pixel_limit: int = setting(
        50_000_000,
        "Files with more pixels are refused before decoding; those of 16 bits count twice.",
        user="decoding",
        at_least=1,
    )
    served_pixel_limit: int | None = setting(
        None,
        "The same for the exported model. [default: 4 times the largest file of the data, at least "
        "4 megapixels]",
        user="export",
        at_least=1,
    )
    mask_foreground: str = setting(
        "auto",
        "Which pixels of a mask are defects: nonzero, bright, dark, not-white, alpha, "
        "transparent, or values such as 1,3 or #2ca02c. auto leaves out masks that are not clear.",
        user="decoding",
    )
    on_bad: str = setting("skip", "Files that cannot be read.", choices=("skip", "raise"))
    good: tuple[str, ...] = setting(
        (), "Folder of good images in DATA, whatever it is called; may be repeated."
    )
    bad: tuple[str, ...] = setting((), "Folder of defective images; may be repeated.")
    masks: tuple[str, ...] = setting((), "Folder of masks; may be repeated.")
    roi: str | None = setting(
        None,
        "Region of interest: a mask for all images, or a folder with one for each, by its name; "
        "pixels that are not 0 are inside. What is outside counts nowhere.",
    )
    exclude: tuple[str, ...] = setting(
        (), "Good FILE that neither trains nor calibrates; may be repeated."
    )
    group_by: str = setting(
        "auto",
        "Good images that belong together, such as photos of one scene: folder, none, or a pattern "
        r"such as '(scene\d+)_' that is searched in the path. auto takes what the data set states, "
        "else finds near-copies.",
    )
    labelled: str | None = setting(None, "Folder of defective images to learn from.")
    labelled_share: float | None = setting(
        None, "Or: defective test images to learn from, as a share of the training images."
    )

    tune_with: tuple[str, ...] = setting(
        (),
        "Defective images, 8 or more, that choose the weights of the experts and the review band: "
        "a folder, a list or a FILE, also of DATA's test set; may be repeated. They are not test "
        "images any more.",
    )

    @property
    def reading(self) -> dict[str, Any]:
        """What `read_category` has to know besides the path."""
        return {
            "on_bad": self.on_bad,
            "decoding": self.decoding,
            "exclude": self.exclude,
            **self.folders,
        }

    @property
    def folders(self) -> dict[str, tuple[str, ...]]:
        """The folders that the user names by hand."""
        return {"good": self.good, "bad": self.bad, "masks": self.masks}

    @property
    def decoding(self) -> "Decoding":
        """The settings of decoding as one object."""
        from kerasad.data.decoding import Decoding

        return Decoding(**self.settings_of("decoding"))

    def settings_of(self, user: str | None) -> dict[str, Any]:
        """Returns the fields of a user by name."""
        fields = [each for each in dataclasses.fields(self) if each.metadata["user"] == user]
        return {each.name: getattr(self, each.name) for each in fields}


@dataclass(frozen=True)
class ModelConfig:
    """The recipe, and the arguments of the model that differ from the recipe's."""

    name: str = "feature_statistics"
    arguments: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class TrainingConfig(Checked):
    """How the model is trained and the decision calibrated.

    `None` in `epochs`, the learning rates and `decay` leaves the choice to the recipe.
    """

    section = "training"

    epochs: int | None = setting(
        None, "Passes over the training images. [default: 300 to 1000 steps]", at_least=1
    )
    seed: int = setting(0, "Of the split, the order, the weights and the noise.", at_least=0)
    learning_rate: float | None = setting(
        None, "Adam's rate for encoder and decoder. [default: the model's]", above=0
    )
    decay: str | None = setting(
        None, "Lets that rate fall to 0. [default: the model's]", choices=("none", "cosine")
    )
    discriminator_learning_rate: float | None = setting(
        None, "Adam's rate for the discriminator. [default: the model's]", above=0
    )
    false_alarm_rate: float = setting(
        0.05, "Share of good images that may be called defective.", above=0, below=1
    )
    review_rate: float | None = setting(
        None,
        "Share of good images that may be called defective or to be reviewed.",
        above=0,
        below=1,
    )
    strict: bool = setting(False, "Refuse a rate that is not guaranteed.")
    calibration: str | None = setting(
        None,
        "crosswise: good images are scored by statistics of the others, and the rate is expected; "
        "split: images set apart guarantee it. [default: crosswise where there are statistics of "
        "features; split with --strict or --tile]",
        choices=("crosswise", "split"),
    )
    synthetic_defects: int = setting(
        128, "Synthetic defects that the weights of the experts are chosen on.", at_least=1
    )

    def __post_init__(self):
        """Refuses values out of their limits, and settings that contradict each other."""
        super().__post_init__()
        if self.strict and self.calibration == "crosswise":
            raise InputError(
                "`training.strict` asks for a guaranteed rate, and `training.calibration` "
                '"crosswise" guarantees none; leave one of them out.'
            )
        if self.review_rate is not None and self.review_rate <= self.false_alarm_rate:
            raise InputError(
                "`training.review_rate` must be above the false-alarm rate of "
                f"{self.false_alarm_rate}, found {self.review_rate}."
            )


@dataclass(frozen=True)
class RunConfig:
    """The whole of `config.json`."""

    data: DataConfig
    model: ModelConfig = field(default_factory=ModelConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)

    def to_dict(self) -> dict[str, Any]:
        """The configuration as nested dictionaries, ready for JSON."""
        return {"format": FORMAT, **dataclasses.asdict(self)}

    def write(self, path: str | Path) -> None:
        """Writes the configuration as JSON; `load_config` reads it."""
        write_json(path, self.to_dict())

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any], source: str = "the configuration"):
        """Builds a configuration from nested dictionaries; what is left out keeps its default.

        Args:
            values: mapping.
            source: str. What to call it in error messages, such as its path.

        Raises:
            InputError: There is no `data.path`, a key is unknown, or a value is of a wrong type
                or out of range.
        """
        values = dict(values)
        found = values.pop("format", FORMAT)
        if found != FORMAT:
            raise InputError(
                f"{source} has format {found!r}, and this version of kerasad reads {FORMAT}: "
                "train again, or use the version that wrote it."
            )
        refuse_unknown(values, cls, source, "")
        data = values.setdefault("data", {})
        if isinstance(data, Mapping) and "path" not in data:
            raise InputError(f"{source} does not say where the images are: set `data.path`.")
        return cls(
            **{
                name: build_section(section, values[name], source, f"{name}.")
                for name, section in typing.get_type_hints(cls).items()
                if name in values
            }
        )


def load_config(path: str | Path) -> RunConfig:
    """Reads a configuration file.

    Raises:
        InputError: The file is missing, or its content is not a configuration.
    """
    return RunConfig.from_mapping(read_json(path, keys=()), str(path))
