"""Runs a SavedModel without kerasad: as TensorFlow Serving does, and after `tf.saved_model.load`.

The gate starts this file in a process of its own, on prepared inputs. It imports no kerasad, since
a server has none:

    python -P execution.py SAVED_MODEL_FOLDER WORK_FOLDER
"""

import os
import sys
from pathlib import Path

import numpy as np
import tensorflow as tf

INPUTS = ".inputs.npz"
WARMUP = Path("assets.extra") / "tf_serving_warmup_requests"


class SessionModel:
    """The signatures of a SavedModel in a session, which is how TensorFlow Serving runs them.

    Args:
        folder: str or path of a version.
    """

    def __init__(self, folder: str | os.PathLike):
        graph = tf.Graph()
        with graph.as_default():
            self._session = tf.compat.v1.Session(graph=graph)
            meta_graph = tf.compat.v1.saved_model.load(self._session, ["serve"], os.fspath(folder))
        self.signatures = dict(meta_graph.signature_def)

    def run(self, signature: str, inputs: dict) -> dict[str, np.ndarray]:
        """Returns all outputs of a signature.

        Args:
            signature: str. Its name.
            inputs: dict of arrays by the names of its inputs; strings are arrays of `bytes`.

        Raises:
            KeyError: There is no such signature or input.
            tf.errors.OpError: It cannot run on these inputs.
        """
        definition = self.signatures[signature]
        fetches = {name: info.name for name, info in definition.outputs.items()}
        feeds = {definition.inputs[name].name: value for name, value in inputs.items()}
        return self._session.run(fetches, feeds)

    def close(self) -> None:
        """Frees the session."""
        self._session.close()


class LoadedModel:
    """The signatures of a SavedModel after `tf.saved_model.load`.

    Args:
        folder: str or path of a version.
    """

    def __init__(self, folder: str | os.PathLike):
        self._loaded = tf.saved_model.load(os.fspath(folder))  # keeps its variables alive

    def run(self, signature: str, inputs: dict) -> dict[str, np.ndarray]:
        """Returns all outputs of a signature, as `SessionModel.run` does."""
        tensors = {name: tf.constant(value) for name, value in inputs.items()}
        outputs = self._loaded.signatures[signature](**tensors)
        return {name: value.numpy() for name, value in outputs.items()}


EXECUTIONS = {"session": SessionModel, "loaded": LoadedModel}


def pack_files(files: list[bytes]) -> dict[str, np.ndarray]:
    """Returns files as two arrays that need no pickle: their bytes, and the length of each."""
    lengths = np.array([len(file) for file in files], "int64")
    return {"data": np.frombuffer(b"".join(files), "uint8"), "lengths": lengths}


def unpack_files(arrays) -> np.ndarray:
    """Returns the files of `pack_files`, as an array of `bytes`."""
    data, ends = arrays["data"].tobytes(), np.cumsum(arrays["lengths"])
    starts = ends - arrays["lengths"]
    return np.array([data[a:b] for a, b in zip(starts, ends, strict=True)], object)


def run_batches(folder: Path, work: Path) -> None:
    """Runs both signatures on every `NAME.inputs.npz` in `work`, in each of `EXECUTIONS`.

    An input file holds `images` and what `pack_files` returns. The outputs, except strings, go to
    `NAME.EXECUTION.SIGNATURE.npz`.
    """
    for execution, load in EXECUTIONS.items():
        model = load(folder)
        for path in sorted(work.glob(f"*{INPUTS}")):
            with np.load(path, allow_pickle=False) as arrays:
                inputs = {
                    "serving_default": {"images": arrays["images"]},
                    "serving_bytes": {"image_bytes": unpack_files(arrays)},
                }
            for signature, given in inputs.items():
                outputs = model.run(signature, given)
                arrays = {name: value for name, value in outputs.items() if value.dtype != object}
                stem = path.name.removesuffix(INPUTS)
                np.savez(work / f"{stem}.{execution}.{signature}.npz", **arrays)


def replay_warmup(folder: Path) -> int:
    """Runs the warm-up requests as the server does, and returns how many there are."""
    from tensorflow_serving.apis import prediction_log_pb2

    model = SessionModel(folder)
    count = 0
    for record in tf.data.TFRecordDataset(os.fspath(folder / WARMUP)):
        log = prediction_log_pb2.PredictionLog.FromString(record.numpy())
        request = log.predict_log.request
        inputs = {name: tf.make_ndarray(tensor) for name, tensor in request.inputs.items()}
        model.run(request.model_spec.signature_name, inputs)
        count += 1
    return count


def main(folder: str, work: str) -> None:
    """Runs the prepared batches, and the warm-up requests if there are any."""
    run_batches(Path(folder), Path(work))
    if (Path(folder) / WARMUP).is_file():
        replay_warmup(Path(folder))


if __name__ == "__main__":
    main(*sys.argv[1:])
