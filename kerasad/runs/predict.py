"""The verb `predict`: images and videos in; lists and overlays out, in constant memory."""

import dataclasses
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from kerasad.console import count_of
from kerasad.data import read_images
from kerasad.data.earlier_results import OVERLAY, PREDICTIONS, EarlierResults, ListedOverlays
from kerasad.data.geometry import whole_batch_size
from kerasad.data.image_files import ImageRecord
from kerasad.data.image_stream import ImageStream
from kerasad.data.photos import PhotoLister
from kerasad.data.problems import Problem
from kerasad.data.region_files import RegionFiles
from kerasad.data.video import VideoFile, is_video
from kerasad.detector import AnomalyDetector
from kerasad.errors import InputError
from kerasad.progress import Phase
from kerasad.runs.frames import name_overlays, number_frames, order_frames, predict_video
from kerasad.runs.overlay_names import name_limit, overlay_names
from kerasad.runs.predictor import ALL, DEFECTIVE, PredictionCount, Predictor, Source
from kerasad.runs.regions import named_regions
from kerasad.runs.result_files import TABLE
from kerasad.runs.result_folder import refuse_blocked, replace_results
from kerasad.runs.run import Run
from kerasad.runs.smoothing import RunningMedian
from kerasad.training.config import DataConfig
from kerasad.training.locations import resolve_data


@dataclass(frozen=True)
class FrameOptions:
    """What is particular about frames of videos.

    Args:
        folders: bool. Whether each folder that is named holds the frames of one video.
        smooth: int. Scores of so many frames decide together, see `RunningMedian`.
        overlays: which images get an overlay, of `OVERLAYS_OF`. None: of images all, of frames
            those that are called defective.
    """

    folders: bool = False
    smooth: int = 1
    overlays: str | None = None


def predict_files(
    run: Run,
    paths: Sequence[str | Path],
    output: str | Path,
    verbose: int = 1,
    in_words: Callable[[str], str] = str,
    roi: str | None = None,
    options: FrameOptions = FrameOptions(),
) -> PredictionCount:
    """Scores files; writes `predictions.jsonl`, `predictions.csv` and overlays.

    Each line of the first is an object with `path`, `anomaly_score`, `threshold`,
    `review_threshold` (the threshold again without a review band), `p_value`, `is_anomalous`,
    `decision` ("good", "review" or "defective"), `defect_area` and `boxes` (see `find_regions`; 0
    and none for "good", at least one for "defective"),
    `image_size` (height and width of the image as the model sees it, the pixels of areas and
    boxes), `file_size` (height and width of the photo, EXIF orientation applied) and `overlay` (a
    path below `output`, or null). A frame of a video has `frame`, its number from 0, and `time` in
    seconds, or null. If scores of frames are smoothed, `anomaly_score` and the decision are those
    of the median, and `frame_score` is that of the frame alone. The object of a file that cannot be
    used has `path` and `error`. The table has `COLUMNS` of `kerasad.runs.result_files`, UTF-8.

    Args:
        run: Run.
        paths: images, videos, and folders, which are searched recursively for images. Overlays of
            earlier predictions are left out, and masks in folders, see `PhotoLister`.
        output: str or Path. A folder. The results of an earlier prediction in it are replaced as a
            whole; its other files are never touched.
        verbose: int. 0 hides the progress.
        in_words: Function that turns an error into the words of the caller, such as a command's
            names of options.
        roi: str or None. The folder of the images' regions of interest, if each has its own.
        options: FrameOptions.

    Raises:
        InputError: No file could be scored, `output` is in use, `roi` does not fit the run, or an
            option is not for these paths.
    """
    config, detector = run.read_together(lambda: (run.config.data, run.load_detector()))
    folder = named_regions(run, detector, dataclasses.replace(config, roi=roi))
    regions = None if folder is None else RegionFiles(folder, config.decoding)
    output = Path(output).absolute()
    paths = [resolve_data(path) for path in paths]
    videos = [path for path in paths if is_video(path) and not path.is_dir()]
    others = [path for path in paths if path not in videos]
    _check_options(options, videos, others, regions)
    with replace_results(output) as files:
        count = PredictionCount()
        predictor = Predictor(detector, files, count)
        job = _Job(config, regions, options, output, verbose)
        if others:
            job.predict_images(predictor, others)
        if videos:
            job.predict_videos(predictor, videos)
        for problem in predictor.failures:
            files.add({"path": problem.path, "error": in_words(problem.message)})
        count.failed += len(predictor.failures)
        if not (count.scored or count.failed):
            raise InputError(_describe_nothing(count.earlier))
    if count.scored == 0:
        what = f"None of {count.failed} files could" if count.failed > 1 else "The file could not"
        reason = f" {predictor.failures[0].message}" if predictor.failures else ""
        raise InputError(f"{what} be scored.{reason}")
    return count


def _check_options(options: FrameOptions, videos, others, regions) -> None:
    if options.folders:
        for path in others:
            if not path.is_dir():
                raise InputError(
                    f"{path} is neither a video nor a folder: with `frames`, each folder holds the "
                    "frames of one video."
                )
    RunningMedian(options.smooth)
    if options.smooth > 1 and others and not options.folders:
        raise InputError(
            "`smooth` is for frames in a row: name videos, or say with `frames` that the images of "
            "a folder are those of a video."
        )
    if videos and regions is not None:
        raise InputError(
            "Each image of the run has a region of interest of its own, and the frames of a video "
            "have none: train with one mask for all images."
        )


@dataclass(frozen=True)
class _Job:
    """What is the same for all files of one prediction."""

    config: DataConfig
    regions: RegionFiles | None
    options: FrameOptions
    output: Path
    verbose: int

    def predict_images(self, predictor: Predictor, paths: Sequence[Path]) -> None:
        """Scores images and the images of folders."""
        are_frames = self.options.folders
        predictor.overlays = self.options.overlays or (DEFECTIVE if are_frames else ALL)
        stream = self._open_images(paths, predictor)
        names = _choose_names(stream.records, self.output)
        sources = [
            Source(record.path, (record.height, record.width), name)
            for record, name in zip(stream.records, names, strict=True)
        ]
        medians: list[RunningMedian] = []
        if are_frames:
            numbered, of_folder = number_frames(stream.records), {}
            for place, (folder, number) in enumerate(numbered):
                sources[place] = dataclasses.replace(sources[place], frame=number)
                medians.append(of_folder.setdefault(folder, RunningMedian(self.options.smooth)))
        with Phase("scoring", len(stream.records), verbose=self.verbose) as phase:
            for outputs, inputs, indices in predictor.detector.predict_stream(stream.dataset):
                rows = [int(index) for index in np.asarray(indices)]
                own = [medians[row] for row in rows] if self.options.smooth > 1 else None
                predictor.add(outputs, inputs, [sources[row] for row in rows], own)
                phase.advance(len(indices))
        predictor.failures += [problem for problem in stream.problems if problem.broken]

    def predict_videos(self, predictor: Predictor, paths: Sequence[Path]) -> None:
        """Scores the frames of video files, one file after the other."""
        predictor.overlays = self.options.overlays or DEFECTIVE
        listed, used = ListedOverlays(self.output), set()

        def is_taken(name):
            return os.path.lexists(self.output / name) and name not in listed

        size = _batch_size(self.config, predictor.detector)
        for path in paths:
            smooth = self.options.smooth
            median = RunningMedian(smooth) if smooth > 1 else None
            overlay_of = name_overlays(path, self.output, is_taken, used)
            video = VideoFile(path, self.config.decoding)
            reason = predict_video(predictor, video, overlay_of, size, median, self.verbose)
            if reason is not None:
                predictor.failures.append(Problem(str(path), reason))

    def _open_images(self, paths: Sequence[Path], predictor: Predictor) -> ImageStream:
        """Returns the images; overlays of earlier predictions and masks are only counted."""
        lister, decoding = PhotoLister(), self.config.decoding
        records, problems = read_images(
            paths, verify=False, decoding=decoding, list_folder=lister.list
        )
        earlier = EarlierResults()
        photos = [record for record in records if record.path not in earlier]
        if self.options.folders:
            photos = order_frames(photos)
        remarks = [problem for problem in problems if problem.path not in earlier]
        count = predictor.count
        count.earlier = len(records) + len(problems) - len(photos) - len(remarks)
        # A mask that the user named is an image as any other.
        scored = {record.path for record in records}
        masks = dict.fromkeys(str(path) for path in lister.masks if str(path) not in scored)
        count.masks = tuple(masks)
        size = _batch_size(self.config, predictor.detector)
        options = {"decoding": decoding, "regions": self.regions}
        return ImageStream(photos, remarks, predictor.detector.geometry, size, **options)


def _batch_size(config: DataConfig, detector: AnomalyDetector) -> int:
    return whole_batch_size(config.batch_size, detector.image_size, detector.model.image_shape)


def describe_results(count: PredictionCount, output: str | Path) -> str:
    """Returns what was decided and where the results are, in a few lines."""
    review = f", {count.review} to be reviewed" if count.review else ""
    images, frames = count.scored - count.frames, count.frames
    kinds = [(images, "image")] * bool(images or not frames) + [(frames, "frame")] * bool(frames)
    scored = " and ".join(count_of(*kind) for kind in kinds)
    lines = [f"{scored} scored, {count.defective} called defective{review}."]
    lines += [f"  defective: {path}" for path in count.called]
    if count.defective > len(count.called):
        lines.append(f"  ... and {count.defective - len(count.called)} more, see {TABLE}")
    if count.earlier:
        lines.append(f"Overlays of earlier predictions that were not read: {count.earlier}.")
    if count.masks:
        lines.append(f"Masks that were not read: {len(count.masks)}, such as {count.masks[0]}.")
    lines.append(
        f"Written to {os.path.join(output, PREDICTIONS)}, {TABLE} (a table) and *{OVERLAY} "
        f"({count_of(count.overlays, 'picture')})."
    )
    return "\n".join(lines)


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
