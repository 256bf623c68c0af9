"""Frames of videos as `predict` scores them: in order, a batch at a time."""

import itertools
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path, PurePosixPath

import numpy as np

from kerasad.data.earlier_results import OVERLAY
from kerasad.data.geometry import Geometry, pack_inputs
from kerasad.data.image_files import ImageRecord
from kerasad.data.near_copies import natural_order
from kerasad.data.video import Frame, VideoFile
from kerasad.errors import InputError
from kerasad.progress import Phase
from kerasad.runs.predictor import Predictor, Source
from kerasad.runs.smoothing import RunningMedian

FRAMES = "_frames"
"""Behind the name of a video: the folder of its overlays."""
DAMAGED = "the frame is damaged and has no score."


def predict_video(
    predictor: Predictor,
    video: VideoFile,
    overlay_of: Callable[[int], PurePosixPath],
    batch_size: int,
    median: RunningMedian | None = None,
    verbose: int = 1,
) -> str | None:
    """Scores the frames of a video file; memory does not grow with their number.

    Args:
        predictor: Predictor.
        video: VideoFile.
        overlay_of: function from the number of a frame to the path of its overlay.
        batch_size: int.
        median: RunningMedian or None, see `Predictor.add`.
        verbose: int. 0 hides the progress.

    Returns:
        Why the video could not be read to its end; None if it could.
    """
    frames, problem, is_over = video.frames(), None, False
    with Phase(f"scoring {video.path.name}", unit="frame", verbose=verbose) as phase:
        while not (problem or is_over):
            batch, problem = _next_batch(frames, batch_size)
            is_over = len(batch) < batch_size
            sources, pixels = [], []
            for frame in batch:
                name = overlay_of(frame.number)
                size = (0, 0) if frame.pixels is None else frame.pixels.shape[:2]
                source = Source(str(video.path), size, name, frame.number, frame.time)
                if frame.pixels is None:
                    predictor.fail(source, f"{source.title}: {DAMAGED}")
                    continue
                sources.append(source)
                pixels.append(frame.pixels)
            if sources:
                inputs = resize_frames(pixels, predictor.detector.geometry)
                outputs = predictor.detector.predict_on_batch(inputs)
                medians = None if median is None else [median] * len(sources)
                predictor.add(outputs, inputs, sources, medians)
            phase.advance(len(batch))
    return problem


def _next_batch(frames: Iterator[Frame], size: int) -> tuple[list[Frame], str | None]:
    """Returns the next frames, and why there are no more if the video breaks."""
    batch: list[Frame] = []
    try:
        for frame in itertools.islice(frames, size):
            batch.append(frame)
    except InputError as error:
        return batch, str(error)
    return batch, None


def resize_frames(frames: Sequence[np.ndarray], geometry: Geometry):
    """Returns frames as model inputs, resized as image files are."""
    resized = [geometry.resize(pixels, 255) for pixels in frames]
    images = np.stack([np.asarray(image) for image, _ in resized])
    if resized[0][1] is None:
        return images
    return pack_inputs(images, np.stack([np.asarray(valid) for _, valid in resized]))


def name_overlays(
    path: Path, output: Path, is_taken: Callable[[PurePosixPath], bool], used: set[str]
) -> Callable[[int], PurePosixPath]:
    """Returns the function from a frame's number to the path of its overlay.

    It is `<video>_frames/<number>_overlay.png`; the folder gets a number if another video or a
    file has its name, and so does an overlay whose place a file of the user has.

    Args:
        path: Path. The video.
        output: Path. The folder of results.
        is_taken: function of a path. Whether it must not be replaced.
        used: set of str. The folders of other videos; this one's is added.
    """
    names = itertools.chain([""], (f"-{number}" for number in itertools.count(2)))
    folder = next(
        name
        for name in (f"{path.name}{FRAMES}{number}" for number in names)
        if name.casefold() not in used and not _is_file(output / name)
    )
    used.add(folder.casefold())

    def name(number):
        plain = f"{folder}/{number:06d}"
        tries = itertools.chain([plain], (f"{plain}-{again}" for again in itertools.count(2)))
        return next(
            path for path in (PurePosixPath(each + OVERLAY) for each in tries) if not is_taken(path)
        )

    return name


def _is_file(path: Path) -> bool:
    return os.path.lexists(path) and not path.is_dir()


def order_frames(records: Sequence[ImageRecord]) -> list[ImageRecord]:
    """Returns images in the order of frames: folder by folder, names as people count."""
    order = natural_order([record.relative_path for record in records])
    return [records[position] for position in order]


def number_frames(records: Sequence[ImageRecord]) -> list[tuple[Path, int]]:
    """Returns of each image its folder, which is its video, and its number there."""
    counters: dict[Path, itertools.count] = {}
    numbered = []
    for record in records:
        folder = Path(record.path).parent
        numbered.append((folder, next(counters.setdefault(folder, itertools.count()))))
    return numbered
