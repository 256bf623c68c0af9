"""From the outputs of a detector to rows of results and overlays, and how many there are."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

import numpy as np
import tensorflow as tf

from kerasad.data.problems import Problem
from kerasad.detector import AnomalyDetector
from kerasad.errors import InputError
from kerasad.overlay import ColourScale, draw_enlarged
from kerasad.runs.caption import encode_with_caption
from kerasad.runs.prediction import add_places_in_file, read_prediction
from kerasad.runs.result_files import ResultFiles
from kerasad.runs.smoothing import RunningMedian

MOST_NAMED = 10
"""Files called defective that the end of a prediction names."""
ALL, DEFECTIVE, NO_OVERLAYS = "all", "defective", "none"
OVERLAYS_OF = (ALL, DEFECTIVE, NO_OVERLAYS)
"""Which images get an overlay."""


@dataclass
class PredictionCount:
    """The numbers of files by outcome.

    Args:
        scored: int. Images with a score, those of videos among them.
        frames: int. Those of them that are frames of videos.
        defective: int. Those of them that are called defective.
        review: int. Those of them that need review; none without a review band.
        failed: int. Files that could not be used; `predictions.jsonl` says why.
        earlier: int. Overlays of earlier predictions, which were not read.
        overlays: int. Overlays that were written.
        masks: tuple of str. Masks of data sets, which were not read.
        called: list of str. The first files that are called defective; `predictions.jsonl` has all.
    """

    scored: int = 0
    frames: int = 0
    defective: int = 0
    review: int = 0
    failed: int = 0
    earlier: int = 0
    overlays: int = 0
    masks: tuple[str, ...] = ()
    called: list[str] = field(default_factory=list)

    def add(self, path: str, decision: str, is_frame: bool = False) -> None:
        """Counts one image with a score."""
        self.scored += 1
        self.frames += is_frame
        self.defective += decision == "defective"
        self.review += decision == "review"
        if decision == "defective" and len(self.called) < MOST_NAMED:
            self.called.append(path)


@dataclass(frozen=True)
class Source:
    """Where an image comes from.

    Args:
        path: str. The file.
        size: height and width of the picture in it.
        overlay: PurePosixPath. The path of its overlay below the folder of results.
        frame: int or None. Its number in a video, from 0.
        time: float or None. Its time in seconds, if it is known.
    """

    path: str
    size: tuple[int, int]
    overlay: PurePosixPath
    frame: int | None = None
    time: float | None = None

    @property
    def title(self) -> str:
        """What to call it."""
        at = "" if self.time is None else f" ({self.time:.2f} s)"
        return self.path if self.frame is None else f"{self.path} frame {self.frame}{at}"

    @property
    def values(self) -> dict[str, Any]:
        """What the row says of it."""
        own = {} if self.frame is None else {"frame": self.frame, "time": self.time}
        return {"path": self.path, **own}


@dataclass
class Predictor:
    """Turns batches of outputs into rows and overlays.

    Args:
        detector: a calibrated `AnomalyDetector`.
        files: ResultFiles.
        count: PredictionCount, which is updated.
        overlays: which images get one, of `OVERLAYS_OF`.
    """

    detector: AnomalyDetector
    files: ResultFiles
    count: PredictionCount
    overlays: str = ALL
    failures: list[Problem] = field(default_factory=list)

    def add(
        self,
        outputs: dict,
        inputs: Any,
        sources: Sequence[Source],
        medians: Sequence[RunningMedian] | None = None,
    ) -> None:
        """Adds a batch; an image that fails is a failure, and no more.

        Args:
            outputs: dict of arrays, those of the detector.
            inputs: model inputs.
            sources: `Source` of each image.
            medians: `RunningMedian` of each image's video, or None: the score is that of one image.
        """
        raw = np.asarray(outputs["anomaly_score"])
        if medians is not None:
            outputs = {**outputs, **self._decide_smoothed(raw, medians)}
        for row, source in enumerate(sources):
            try:
                self._add_one(outputs, inputs, row, source, None if medians is None else raw[row])
            except InputError as error:
                self.failures.append(Problem(source.path, f"{source.title}: {error}"))

    def fail(self, source: Source, message: str) -> None:
        """Adds the row of an image that cannot be used."""
        self.files.add({**source.values, "error": message})
        self.count.failed += 1

    def _decide_smoothed(self, scores, medians):
        smoothed = [
            median.add(float(score)) if np.isfinite(score) else score
            for median, score in zip(medians, scores, strict=True)
        ]
        smoothed = np.asarray(smoothed, "float32")
        decided = self.detector.decision(tf.constant(smoothed))
        decided = {name: np.asarray(value) for name, value in decided.items()}
        return {"anomaly_score": smoothed, **decided}

    def _add_one(self, outputs, inputs, row, source, frame_score):
        image, prediction = read_prediction(outputs, inputs, row)
        anomaly_map = prediction.pop("anomaly_map")[..., None]
        if frame_score is not None:
            prediction["frame_score"] = float(frame_score)
        overlay = None
        if self.overlays == ALL or self.overlays == prediction["decision"]:
            decided = (prediction["decision"] == name for name in ("defective", "review"))
            scale = ColourScale(self.detector.pixel_threshold)
            picture = draw_enlarged(image, anomaly_map, scale, *decided).numpy()
            self.files.add_overlay(source.overlay, encode_with_caption(picture, prediction))
            overlay = str(source.overlay)
            self.count.overlays += 1
        prediction = add_places_in_file(prediction, source.size)
        self.files.add({**source.values, **prediction, "overlay": overlay})
        self.count.add(source.title, prediction["decision"], source.frame is not None)
