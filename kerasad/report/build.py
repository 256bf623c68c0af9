"""`RUN/report.html`: what a run was, how it went and where it fails, in one file."""

import hashlib
import itertools
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kerasad.data.category import Category
from kerasad.data.split import read_split
from kerasad.detector.colour_scale import ColourScale
from kerasad.errors import InputError
from kerasad.files import replace_file
from kerasad.report import page
from kerasad.report.collect import MAX_LATENTS, collect, make_latent_reader, numpy_inputs
from kerasad.runs.run import CONFIG, HISTORY, REPORT, SPLIT, Run, read_thresholds
from kerasad.training.config import RunConfig
from kerasad.training.history import read_history
from kerasad.version import __version__


def write_report(run: Run, load_data: Callable[[Any], Category], beside: Run | None = None) -> Path:
    """Writes the report of a run.

    Args:
        run: Run.
        load_data: function of the detector that returns the Category with the test images. When
            it raises an `InputError`, its sentence stands where the images would.
        beside: Run or None. Another run, whose latent space is shown beside this one's.

    Returns:
        Path of the page.

    Raises:
        InputError: What the report needs is not installed, a run is incomplete, or `beside` sees
            images of another size.
    """
    _require_extra()
    config, metrics, calibration = run.config, run.metrics, run.calibration
    detector = run.load_detector()
    models = {_describe(run): detector.model}
    if beside is not None:
        title = _describe(beside)
        if title in models:  # two folders of one name
            title = f"{beside.config.model.name} ({beside.path})"
        models[title] = _model_beside(beside, detector)
    notes = [calibration["note"]] if calibration.get("note") else []
    if metrics is not None and read_thresholds(metrics) != read_thresholds(calibration):
        notes.append(
            "The run was calibrated after it was evaluated: the metrics belong to the thresholds "
            "before. Run `kerasad evaluate` and then this again."
        )
    text = page.render(
        title=f"{Path(config.data.path).name}, {config.model.name}",
        subtitle=f"{config.data.path}, seed {config.training.seed}, "
        f"{config.training.epochs} epochs, image size {config.data.image_size}",
        sections=[
            page.metrics_section(metrics),
            *_image_sections(detector, load_data, metrics or {}, models),
            _curves_section(run, config),
            _run_section(run, config),
        ],
        tiles=page.metric_tiles(metrics),
        notes=notes,
        footer=f"Written by kerasad {__version__} from {run.path.name}; this page needs no "
        "other file and no network.",
    )
    with replace_file(run.path / REPORT) as work:
        work.write_text(text, encoding="utf-8")
    return run.path / REPORT


def embed(latents: np.ndarray, seed: int = 0) -> np.ndarray | None:
    """t-SNE of latent codes.

    Args:
        latents: float array (points, latent_dim).
        seed: int.

    Returns:
        float array (points, 2), or None below five points.
    """
    from sklearn.manifold import TSNE

    if len(latents) < 5:
        return None
    spread = latents.std(axis=0)
    latents = latents[:, spread > 0] if np.any(spread > 0) else latents
    perplexity = min(30.0, (len(latents) - 1) / 3)
    start = "pca" if latents.shape[1] >= 2 and np.any(spread > 0) else "random"
    return TSNE(perplexity=perplexity, init=start, random_state=seed).fit_transform(latents)


def _require_extra() -> None:
    try:
        import jinja2  # noqa: F401
        import sklearn  # noqa: F401
    except ImportError as error:
        raise InputError(
            f"The report needs {error.name}: install it with `pip install 'kerasad[report]'`."
        ) from error


def _describe(run: Run) -> str:
    return f"{run.config.model.name} ({run.path.name})"


def _model_beside(run: Run, detector):
    model = run.load_model()
    if tuple(model.image_shape) != tuple(detector.model.image_shape) or detector.tiles is not None:
        raise InputError(
            f"{run.path}: its model sees images of {tuple(model.image_shape[:2])}, this one's "
            f"detector whole images of {tuple(detector.image_size)} in parts of "
            f"{tuple(detector.model.image_shape[:2])}; latent spaces are shown beside each other "
            "where both models see the same whole images."
        )
    return model


def _curves_section(run: Run, config: RunConfig) -> page.Section:
    path = run.path / HISTORY
    warmup = config.model.arguments.get("kl_warmup_steps", 0)
    try:
        return page.curves_section(read_history(path) if path.is_file() else None, warmup)
    except InputError as error:
        return page.Section("Training", notes=[f"The curves cannot be shown. {error}"])


def _image_sections(detector, load_data, metrics: dict, models: dict) -> list[page.Section]:
    try:
        category = load_data(detector)
    except InputError as error:
        return [page.Section("Images", notes=[f"Images cannot be shown. {error}"])]
    records = category.index.test
    (title, own), *others = ((title, make_latent_reader(model)) for title, model in models.items())
    with category.name_bad_files():
        collected = collect(detector, category.test, records, own)
        train = _train_latents(own, category)
        embedded = {title: embed(np.concatenate([*train, collected.latents]))}
        for other_title, read in others:
            latents = [*_train_latents(read, category)]
            latents.append(_test_latents(read, category, len(collected.latents)))
            embedded[other_title] = embed(np.concatenate(latents))
    scale = ColourScale(detector.pixel_threshold)
    groups = ["train good"] * sum(map(len, train)) + collected.latent_groups
    return [
        page.examples_section(collected.groups, scale),
        page.decision_section(
            collected, metrics, float(detector.threshold), detector.review_threshold
        ),
        page.latent_section(embedded, groups, _latent_text(category)),
    ]


def _test_latents(read_latents, category: Category, count: int) -> np.ndarray:
    """Latent means of the first test images."""
    latents: list[np.ndarray] = []
    for inputs, _ in category.test:
        latents.append(read_latents(numpy_inputs(inputs)[0]))
        if sum(map(len, latents)) >= count:
            break
    return np.concatenate(latents)[:count]


def _train_latents(read_latents, category: Category) -> list[np.ndarray]:
    """Latent means of training images, batch by batch; none where the images are gone."""
    latents: list[np.ndarray] = []
    if not category.split.train:
        return latents
    for inputs in category.train:
        latents.append(read_latents(numpy_inputs(inputs)[0]))
        if sum(map(len, latents)) >= MAX_LATENTS // 2:
            break
    return latents


def _latent_text(category) -> str:
    text = "Latent means of the encoder, averaged over places."
    if tuple(category.image_shape) != tuple(category.full_shape):
        text += " Of a test image, the crop around the peak of its map; of training images, crops."
    return text


def _run_section(run: Run, config: RunConfig) -> page.Section:
    text = json.dumps(config.to_dict(), indent=2)
    short = hashlib.sha256(text.encode()).hexdigest()[:12]
    section = page.Section("Run", f"Hash of the configuration: {short}.")
    values = json.loads(text)
    for name in ("data", "model", "training"):
        rows = [(key, _show(value)) for key, value in _flat(values[name].pop("arguments", {}))]
        rows = [(key, _show(value)) for key, value in _flat(values[name])] + rows
        section.tables.append({"title": name.capitalize(), "header": None, "rows": rows})
    calibration = run.calibration
    rows = [(key, _show(value)) for key, value in _flat(calibration) if "experts" not in key]
    section.tables.append({"title": "Calibration", "header": None, "rows": rows})
    if experts := calibration.get("experts"):
        header = ["expert", "weight in the map", "weight in the score"]
        rows = [
            (name, _show(values.get("weight")), _show(values.get("score_weight")))
            for name, values in experts.items()
        ]
        section.tables.append({"title": "Experts", "header": header, "rows": rows})
    if (run.path / SPLIT).is_file():
        sizes = {part: len(files) for part, files in read_split(run.path / SPLIT).items()}
        section.tables.append(
            {"title": "Split", "header": ["part", "images"], "rows": _rows(sizes)}
        )
    section.details = {"title": CONFIG, "text": text}
    return section


def _rows(values: dict) -> list[tuple]:
    return [(key, _show(value)) for key, value in values.items()]


def _flat(values: dict, prefix: str = "") -> list[tuple[str, object]]:
    pairs = (
        _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else [(f"{prefix}{key}", value)]
        for key, value in values.items()
    )
    return list(itertools.chain.from_iterable(pairs))


def _show(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(_show(entry) for entry in value)
    return "none" if value is None else str(value)
