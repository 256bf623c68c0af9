"""Loads saved models as a user's new process does; run by `test_vae_gan_saving.py`."""

import json
import sys
from pathlib import Path

import keras
import numpy as np

import kerasad  # noqa: F401  (registers the classes)


def main(folder: Path) -> None:
    images = np.load(folder / "images.npy")
    found = {}
    for path in sorted(folder.glob("*.keras")):
        model = keras.saving.load_model(path, safe_mode=True)
        np.save(folder / f"{path.stem}_prediction.npy", model.predict(images, verbose=0))
        np.save(folder / f"{path.stem}_optimizers.npy", optimizer_state(model))
        found[path.stem] = {
            "iterations": [
                int(model.optimizer.iterations),
                int(model.discriminator_optimizer.iterations),
            ],
            "policy": model.dtype_policy.name,
            "custom_objects": len(keras.saving.get_custom_objects()),
        }
    (folder / "found.json").write_text(json.dumps(found))


def optimizer_state(model):
    """All values that both optimizers hold, in one vector."""
    variables = [*model.optimizer.variables, *model.discriminator_optimizer.variables]
    return np.concatenate([np.ravel(variable.numpy()).astype("float64") for variable in variables])


if __name__ == "__main__":
    main(Path(sys.argv[1]))
