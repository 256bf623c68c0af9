"""The verb `predict`: images in; a list, a table and overlays out, in constant memory."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from kerasad.console import count_of
from kerasad.data import read_images
from kerasad.data.earlier_results import OVERLAY, PREDICTIONS, EarlierResults, ListedOverlays
from kerasad.data.geometry import whole_batch_size
from kerasad.data.image_files import ImageRecord, Problem
from kerasad.data.loading import ImageStream
from kerasad.data.photos import PhotoLister
from kerasad.detector import AnomalyDetector
from kerasad.errors import InputError
from kerasad.overlay import ColourScale, draw_enlarged
from kerasad.progress import Phase
from kerasad.runs.caption import encode_with_caption
from kerasad.runs.overlay_names import name_limit, overlay_names
from kerasad.runs.prediction import add_places_in_file, read_prediction
from kerasad.runs.result_files import TABLE, ResultFiles
from kerasad.runs.result_folder import refuse_blocked, replace_results
from kerasad.runs.run import Run
from kerasad.training.config import DataConfig
from kerasad.training.locations import resolve_data

MOST_NAMED = 10
"""Files called defective that the end of a prediction names."""


@dataclass
class PredictionCount:
    """The numbers of files by outcome.

    Args:
        scored: int. Files with a score.
        defective: int. Those of them that are called defective.
        review: int. Those of them that need review; none without a review band.
        failed: int. Files that could not be used; `predictions.jsonl` says why.
        earlier: int. Overlays of earlier predictions, which were not read.
        masks: tuple of str. Masks of data sets, which were not read.
        called: list of str. The first files that are called defective; `predictions.jsonl` has all.
    """

    scored: int = 0
    defective: int = 0
    review: int = 0
    failed: int = 0
    earlier: int = 0
    masks: tuple[str, ...] = ()
    called: list[str] = field(default_factory=list)

    def add(self, path: str, decision: str) -> None:
        """Counts one image with a score."""
        self.scored += 1
        self.defective += decision == "defective"
        self.review += decision == "review"
        if decision == "defective" and len(self.called) < MOST_NAMED:
            self.called.append(path)


def predict_files(
    run: Run,
    paths: Sequence[str | Path],
    output: str | Path,
    verbose: int = 1,
    in_words: Callable[[str], str] = str,
) -> PredictionCount:
    """Scores files; writes `predictions.jsonl`, `predictions.csv` and an overlay of each.

    Each line of the first is an object with `path`, `anomaly_score`, `threshold`,
    `review_threshold` (the threshold again without a review band), `p_value`, `is_anomalous`,
    `decision` ("good", "review" or "defective"), `defect_area` and `boxes` (see `find_regions`; 0
    and none for "good", at least one for "defective"),
    `image_size` (height and width of the image as the model sees it, the pixels of areas and
    boxes), `file_size` (height and width of the photo, EXIF orientation applied) and `overlay` (a
    path below `output`). The object of a file that cannot be used has `path` and `error`. The
    table has `COLUMNS` of `kerasad.runs.result_files`, UTF-8.

    Args:
        run: Run.
        paths: files, and folders, which are searched recursively. Overlays of earlier predictions
            are left out, and masks in folders, see `PhotoLister`.
        output: str or Path. A folder. The results of an earlier prediction in it are replaced as a
            whole; its other files are never touched.
        verbose: int. 0 hides the progress.
        in_words: Function that turns an error into the words of the caller, such as a command's
            names of options.

    Raises:
        InputError: No file could be scored, or `output` is in use.
    """
    config, detector = run.read_together(lambda: (run.config.data, run.load_detector()))
    output = Path(output).absolute()
    paths = [resolve_data(path) for path in paths]
    with replace_results(output) as files:
        stream, count = _open_images(paths, detector, config)
        names = _choose_names(stream.records, output)
        predictor = _Predictor(stream.records, names, ColourScale(detector.pixel_threshold), files)
        with Phase("scoring", len(stream.records), verbose=verbose) as phase:
            for outputs, inputs, indices in detector.predict_stream(stream.dataset):
                for row, index in enumerate(np.asarray(indices)):
                    predictor.add(outputs, inputs, row, int(index), count)
                phase.advance(len(indices))
        failures = [*predictor.failures, *(p for p in stream.problems if p.broken)]
        for problem in failures:
            files.add({"path": problem.path, "error": in_words(problem.message)})
        if not (count.scored or failures):
            raise InputError(_describe_nothing(count.earlier))
    count.failed = len(failures)
    if count.scored == 0:
        what = f"None of {count.failed} files could" if count.failed > 1 else "The file could not"
        raise InputError(f"{what} be scored. {failures[0].message}")
    return count


def describe_results(count: PredictionCount, output: str | Path) -> str:
    """Returns what was decided and where the results are, in a few lines."""
    review = f", {count.review} to be reviewed" if count.review else ""
    lines = [
        f"{count_of(count.scored, 'image')} scored, {count.defective} called defective{review}."
    ]
    lines += [f"  defective: {path}" for path in count.called]
    if count.defective > len(count.called):
        lines.append(f"  ... and {count.defective - len(count.called)} more, see {TABLE}")
    if count.earlier:
        lines.append(f"Overlays of earlier predictions that were not read: {count.earlier}.")
    if count.masks:
        lines.append(f"Masks that were not read: {len(count.masks)}, such as {count.masks[0]}.")
    lines.append(
        f"Written to {os.path.join(output, PREDICTIONS)}, {TABLE} (a table) and *{OVERLAY} "
        f"({count_of(count.scored, 'picture')})."
    )
    return "\n".join(lines)


def _open_images(
    paths: Sequence[Path], detector: AnomalyDetector, config: DataConfig
) -> tuple[ImageStream, PredictionCount]:
    """Returns the images without overlays of earlier predictions and masks, which are counted."""
    lister = PhotoLister()
    records, problems = read_images(
        paths, verify=False, decoding=config.decoding, list_folder=lister.list
    )
    earlier = EarlierResults()
    photos = [record for record in records if record.path not in earlier]
    remarks = [problem for problem in problems if problem.path not in earlier]
    left_out = len(records) + len(problems) - len(photos) - len(remarks)
    batch_size = whole_batch_size(
        config.batch_size, detector.image_size, detector.model.image_shape
    )
    stream = ImageStream(photos, remarks, detector.geometry, batch_size, decoding=config.decoding)
    # A mask that the user named is an image as any other.
    scored = {record.path for record in records}
    masks = dict.fromkeys(str(path) for path in lister.masks if str(path) not in scored)
    return stream, PredictionCount(earlier=left_out, masks=tuple(masks))


def _describe_nothing(earlier: int) -> str:
    if earlier:
        return (
            f"There are only overlays of earlier predictions at the given paths ({earlier}), and "
            "they are not photos: name images."
        )
    return "No image was found at the given paths: name images, or folders with images in them."


def _choose_names(records: Sequence[ImageRecord], output: Path) -> list[PurePosixPath]:
    """Returns the path of each overlay below `output`, none that of a file of the user."""
    listed = ListedOverlays(output)

    def is_taken(name):
        return os.path.lexists(output / name) and name not in listed

    paths = [record.relative_path for record in records]
    names = overlay_names(paths, is_taken, name_limit(output))
    refuse_blocked(output, names)
    return names


@dataclass
class _Predictor:
    """Turns outputs of the detector into rows and overlays."""

    records: Sequence[ImageRecord]
    names: Sequence[PurePosixPath]
    scale: ColourScale
    files: ResultFiles
    failures: list[Problem] = field(default_factory=list)

    def add(self, outputs: dict, inputs: Any, row: int, index: int, count: PredictionCount) -> None:
        """Adds one image of a batch; what fails with this one is a failure, and no more."""
        record = self.records[index]
        try:
            image, prediction = read_prediction(outputs, inputs, row)
            anomaly_map = prediction.pop("anomaly_map")[..., None]
            decided = (prediction["decision"] == name for name in ("defective", "review"))
            picture = draw_enlarged(image, anomaly_map, self.scale, *decided).numpy()
            self.files.add_overlay(self.names[index], encode_with_caption(picture, prediction))
        except InputError as error:
            self.failures.append(Problem(record.path, f"{record.path}: {error}"))
            return
        prediction = add_places_in_file(prediction, (record.height, record.width))
        self.files.add({"path": record.path, **prediction, "overlay": str(self.names[index])})
        count.add(record.path, prediction["decision"])
