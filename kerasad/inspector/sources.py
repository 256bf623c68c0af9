"""What answers: the detector of a run, a detector file, or a SavedModel."""

import os
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from kerasad.data.decoding import Decoding
from kerasad.data.geometry import Geometry, unpack_inputs, without_padding
from kerasad.data.provenance import ALL_PARTS
from kerasad.detector import AnomalyDetector
from kerasad.errors import InputError
from kerasad.export.execution import LoadedModel
from kerasad.export.saved_model import MODEL_CARD
from kerasad.export.signatures import OUTPUTS, SERVING_BYTES
from kerasad.files import read_json
from kerasad.inspector.opening import Opened
from kerasad.overlay import ColourScale
from kerasad.report.page import pack
from kerasad.report.promise import describe_promise
from kerasad.report.threshold import threshold_numbers
from kerasad.runs.folder import CONFIG
from kerasad.runs.keras_file import load_keras
from kerasad.runs.prediction import read_prediction
from kerasad.runs.run import Run, open_run
from kerasad.tracing import compiled_for_batches

_SAVED_MODEL = "saved_model.pb"
_CARD_KEYS = (
    *("image_size", "keep_aspect", "pixel_limit", "max_value", "threshold"),
    *("review_threshold", "pixel_threshold", "false_alarm_rate", "name", "model"),
)


class Source(Protocol):
    """What answers for pictures.

    Attributes:
        path: Path.
        kind: str. `"run"`, `"detector"` or `"saved_model"`.
        run: Run or None. The run that it belongs to, where it was opened with it.
        decoding: Decoding of its images.
        geometry: Geometry of its images.
        scale: ColourScale of its maps.
    """

    path: Path
    kind: str
    run: Run | None
    decoding: Decoding
    geometry: Geometry
    scale: ColourScale

    def predict(self, opened: Opened) -> dict[str, Any]:
        """Returns the prediction of one image, see `read_prediction`."""

    def expert_maps(self, opened: Opened) -> Mapping[str, np.ndarray]:
        """Returns the map of each expert, without padding; empty where there are none."""

    def describe(self) -> dict[str, Any]:
        """Returns what the page says of it and computes with."""

    @property
    def requested_rate(self) -> float:
        """The false-alarm rate that the thresholds were asked to have."""

    def part_of(self, content_hash: str) -> str | None:
        """Returns which part of a run's images a file was, or None for one that is new to it."""


class DetectorSource:
    """A detector, alone or of a run.

    Args:
        detector: a calibrated `AnomalyDetector`.
        path: Path. Where it is.
        run: Run or None.

    Raises:
        InputError: The detector is not calibrated, or each image has a region of its own.
    """

    def __init__(self, detector: AnomalyDetector, path: Path, run: Run | None = None):
        detector.decision.require_calibration()
        if detector.roi == "each":
            raise InputError(
                f"{path}: each image has a region of interest of its own, which a picture that is "
                "dropped on the page does not bring; use `kerasad predict` with its --roi."
            )
        self.detector = detector
        self.path = path
        self.run = run
        self.kind = "detector" if run is None else "run"
        self.decoding = Decoding() if run is None else run.config.data.decoding
        self.geometry = detector.geometry
        self.scale = ColourScale(detector.pixel_threshold)
        self._explain = compiled_for_batches(detector.explain)
        self._parts = {
            content_hash: part
            for part in ALL_PARTS
            for content_hash in detector.provenance.hashes(part)
        }

    def predict(self, opened: Opened) -> dict[str, Any]:
        """Returns the prediction of one image by the graph that `kerasad predict` runs."""
        outputs = self.detector.predict_on_batch(opened.inputs)
        return read_prediction(outputs, opened.inputs, 0)[1]

    def expert_maps(self, opened: Opened) -> dict[str, np.ndarray]:
        """Returns the map of each expert in spreads of good pixels, float arrays."""
        maps = np.asarray(self._explain(opened.inputs)["expert_maps"])[0]
        _, valid = unpack_inputs(opened.inputs)
        (maps,) = without_padding(None if valid is None else valid[0], maps)
        names = [expert.name for expert in self.detector.experts]
        return {name: maps[..., place] for place, name in enumerate(names)}

    def describe(self) -> dict[str, Any]:
        """Returns what the page says of it and computes with."""
        summary = self.detector.calibration_summary()
        model = type(self.detector.model).__name__ if self.run is None else self._recipe()
        return {
            **threshold_numbers(self.detector, shlex.quote(str(self.path))),
            "name": Path(os.path.abspath(self.path)).name,
            "model": model,
            "promise": describe_promise(summary["false_alarm_rate"]),
            "note": summary["note"],
            "hasScores": True,
        }

    @property
    def requested_rate(self) -> float:
        """The false-alarm rate that the thresholds were asked to have."""
        return self.detector.calibration_summary()["false_alarm_rate"]["requested"]

    def part_of(self, content_hash: str) -> str | None:
        """Returns which part of the run's images a file was."""
        return self._parts.get(content_hash)

    def _recipe(self) -> str:
        return self.run.config.model.name


class SavedModelSource:
    """A version that `kerasad export` wrote. It holds no calibration score and no expert's map.

    Args:
        path: Path. The version's folder.
    """

    kind = "saved_model"
    run = None

    def __init__(self, path: Path):
        self.path = path
        remedy = "name a version that `kerasad export` wrote, or its RUN"
        card = read_json(path / MODEL_CARD, _CARD_KEYS, remedy)
        self._card = card
        self.decoding = Decoding(max_value=card["max_value"], pixel_limit=card["pixel_limit"])
        self.geometry = Geometry(*card["image_size"], keep_aspect=card["keep_aspect"])
        self.scale = ColourScale(card["pixel_threshold"])
        try:
            self._model = LoadedModel(path)
        except Exception as error:  # the content of a file can make TensorFlow raise anything
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise InputError(
                f"{path} cannot be loaded as a SavedModel: {reason.rstrip('.')}; {remedy}."
            ) from error

    def predict(self, opened: Opened) -> dict[str, Any]:
        """Returns the prediction of one file by the signature that a server runs.

        Raises:
            InputError: The file is of a kind that the signature does not read, or it is refused.
        """
        import tensorflow as tf

        if opened.header.decoder != "graph":
            raise InputError(
                f"{opened.name}: a SavedModel reads PNG, JPEG and plain BMP; convert it, or "
                "inspect the RUN."
            )
        files = np.array([opened.data], object)
        try:
            outputs = self._model.run(SERVING_BYTES, {"image_bytes": files})
        except tf.errors.OpError as error:
            reason = (error.message.splitlines() or [""])[0]
            raise InputError(f"{opened.name}: the SavedModel refused it: {reason}") from error
        outputs = {name: outputs[name] for name in OUTPUTS}
        return read_prediction(outputs, opened.inputs, 0)[1]

    def expert_maps(self, opened: Opened) -> dict[str, np.ndarray]:
        """Returns nothing."""
        return {}

    def describe(self) -> dict[str, Any]:
        """Returns what the page says of it and computes with."""
        card = self._card
        return {
            "path": shlex.quote(str(self.path)),
            "name": f"{card['name']}, version {Path(os.path.abspath(self.path)).name}",
            "threshold": card["threshold"],
            "review": card["review_threshold"],
            "calibration": pack([], "float32"),
            "rates": [],
            "ask": [],
            "experts": {},
            "guaranteed": card["false_alarm_rate"].get("guaranteed") is not None,
            "model": card["model"],
            "promise": describe_promise(card["false_alarm_rate"]),
            "note": card.get("calibration_note"),
            "hasScores": False,
        }

    @property
    def requested_rate(self) -> float:
        """The false-alarm rate that the thresholds were asked to have."""
        return self._card["false_alarm_rate"]["requested"]

    def part_of(self, content_hash: str) -> str | None:
        """Returns None: a SavedModel does not name its images."""


def open_run_source(run: Run) -> DetectorSource:
    """Loads the detector of a run.

    Raises:
        InputError: A part is missing or damaged.
    """
    return DetectorSource(run.load_detector(), run.path, run)


def open_source(path: str | Path) -> Source:
    """Opens what a user names.

    Args:
        path: str or Path. A RUN, a detector's `.keras` file, a SavedModel's version, or the folder
            of its versions, of which the newest is taken.

    Raises:
        InputError: It is none of these, or it cannot be loaded.
    """
    path = Path(path)
    if path.is_file() and path.suffix == ".keras":
        return DetectorSource(load_keras(path, AnomalyDetector), path)
    if (path / _SAVED_MODEL).is_file():
        return SavedModelSource(path)
    if path.is_dir() and not (path / CONFIG).is_file():
        versions = [each for each in path.iterdir() if each.name.isdigit()]
        versions = [each for each in versions if (each / _SAVED_MODEL).is_file()]
        if versions:
            return SavedModelSource(max(versions, key=lambda each: int(each.name)))
    if path.is_file():
        raise InputError(
            f"{path} is neither a RUN nor a detector: name a RUN, a detector.keras or a SavedModel."
        )
    return open_run_source(open_run(path))
