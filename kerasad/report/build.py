"""`report.html`: what a run was, how it went and where it fails, in one file."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from kerasad.data.category import Category
from kerasad.errors import InputError, MissingPackageError
from kerasad.overlay import ColourScale
from kerasad.report.collect import collect
from kerasad.report.latents import MAX_POINTS, VectorReader, embed
from kerasad.report.sections import (
    Section,
    decision_section,
    examples_section,
    latent_section,
    metric_tiles,
    metrics_section,
    run_section,
    training_section,
)
from kerasad.training.config import RunConfig
from kerasad.version import __version__


@dataclass(frozen=True)
class RunFacts:
    """What a report says of a run apart from its images.

    Args:
        name: str. Name of the run's folder.
        config: RunConfig.
        calibration: content of `calibration.json`.
        metrics: content of `metrics.json`, or None before the first evaluation.
        split_sizes: number of images by the name of the part.
        notes: sentences that stand at the top.
    """

    name: str
    config: RunConfig
    calibration: Mapping[str, Any]
    metrics: Mapping[str, Any] | None
    split_sizes: Mapping[str, int]
    notes: Sequence[str] = ()

    @property
    def title(self) -> str:
        """The model and the run."""
        return f"{self.config.model.name} ({self.name})"


def build_report(
    facts: RunFacts,
    detector,
    load_data: Callable[[], Category],
    load_history: Callable[[], Mapping[str, Sequence[float]] | None],
    beside: Mapping[str, Any] | None = None,
) -> str:
    """Returns the report of a run, as HTML.

    Args:
        facts: RunFacts.
        detector: the run's calibrated `AnomalyDetector`.
        load_data: function that returns the Category with the test images. When it raises an
            `InputError`, its sentence takes the place of the images.
        load_history: function that returns the curves of the training, see `training_section`.
        beside: for other runs by their titles, models whose latent space is shown too.

    Raises:
        InputError: A model of `beside` sees images of another size.
    """
    models = {facts.title: detector.model, **(beside or {})}
    for title in beside or {}:
        _check_image_size(title, models[title], detector)
    config, epochs = facts.config, facts.config.training.epochs
    return render(
        title=f"{Path(config.data.path).name}, {config.model.name}",
        subtitle=f"{config.data.path}, seed {config.training.seed}, "
        f"{'' if epochs is None else f'{epochs} epochs, '}image size {config.data.image_size}",
        sections=[
            metrics_section(facts.metrics),
            *_image_sections(detector, load_data, facts.metrics or {}, models),
            training_section(load_history, detector.model.warmup_steps),
            run_section(config.to_dict(), facts.calibration, facts.split_sizes),
        ],
        tiles=metric_tiles(facts.metrics),
        notes=facts.notes,
        footer=f"Written by kerasad {__version__} from {facts.name}; this page needs no other file "
        "and no network.",
    )


def _check_image_size(title: str, model, detector) -> None:
    if tuple(model.image_shape) != tuple(detector.model.image_shape) or detector.tiles is not None:
        raise InputError(
            f"{title} works on images of {tuple(model.image_shape[:2])}, and this run's detector "
            f"on images of {tuple(detector.image_size)} in parts of "
            f"{tuple(detector.model.image_shape[:2])}: latent spaces are shown side by side "
            "only where both models see the same whole images."
        )


def _image_sections(detector, load_data, metrics: Mapping, models: Mapping) -> list[Section]:
    try:
        category = load_data()
    except InputError as error:
        return [Section("Images", notes=[f"Images cannot be shown. {error}"])]
    readers = {title: VectorReader(model) for title, model in models.items()}
    readers = {title: reader for title, reader in readers.items() if reader.meaning}
    train_images = category.train if category.split.train else ()
    with category.name_bad_files():
        collected = collect(detector, category.test, category.index.test, readers)
        vectors = {
            title: [*reader.read_dataset(train_images, MAX_POINTS // 2), collected.vectors[title]]
            for title, reader in readers.items()
        }
    sections = [
        examples_section(collected.groups, ColourScale(detector.pixel_threshold)),
        decision_section(collected, metrics, detector.threshold, detector.review_threshold),
    ]
    if not readers:
        text = "The model has neither a latent nor features: there is no t-SNE."
        sections.append(Section("Latent space", text))
    else:
        embedded = {title: embed(np.concatenate(parts)) for title, parts in vectors.items()}
        num_train = sum(map(len, next(iter(vectors.values()))[:-1]))
        groups = ["train good"] * num_train + collected.vector_groups
        sections.append(latent_section(embedded, groups, _latent_text(readers, category)))
    return sections


def _latent_text(readers: Mapping[str, VectorReader], category) -> str:
    text = " ".join(dict.fromkeys(reader.meaning for reader in readers.values()))
    if tuple(category.image_shape) != tuple(category.full_shape):
        text += " Of a test image, the crop around the peak of its map; of training images, crops."
    return text


def check_report_possible() -> None:
    """Raises a `MissingPackageError` unless the packages of the extra `report` are installed."""
    try:
        import jinja2  # noqa: F401
        import sklearn  # noqa: F401
    except ImportError as error:
        raise MissingPackageError.of_extra("The report", error.name, "report") from error


def render(title: str, subtitle: str, sections: Sequence[Section], **values: Any) -> str:
    """Fills the template; all text is escaped, and nothing is fetched from anywhere."""
    import jinja2

    text = resources.files("kerasad.report").joinpath("template.html").read_text("utf-8")
    environment = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    template = environment.from_string(text)
    return template.render(title=title, subtitle=subtitle, sections=sections, **values)
