"""Loads saved detectors as a user's new process does.

python fresh_process.py FOLDER [MODULE]    # MODULE registers the classes of a model
"""

import importlib
import json
import sys
from pathlib import Path

import keras
import numpy as np

import kerasad  # noqa: F401  (registers the classes)


def main(folder: Path) -> None:
    found = {}
    for path in sorted(folder.glob("*.keras")):
        detector = keras.saving.load_model(path, safe_mode=True)
        inputs = dict(np.load(path.with_suffix(".inputs.npz")))
        outputs = detector.predict(inputs if "valid" in inputs else inputs["images"], verbose=0)
        np.savez(path.with_suffix(".outputs.npz"), **outputs)
        found[path.stem] = detector.calibration_summary()
    found["custom_objects"] = len(keras.saving.get_custom_objects())
    (folder / "found.json").write_text(json.dumps(found))


if __name__ == "__main__":
    for module in sys.argv[2:]:
        importlib.import_module(module)
    main(Path(sys.argv[1]))
