"""Differences between a detector and every way to run its export, over a whole test set.

    kerasad export RUN --output saved_models/bottle
    python benchmarks/export_parity.py RUN saved_models/bottle/1 \
        --data ../shared/data/mvtec/bottle --output export_parity.jsonl

The reference is `predict` of the detector in this process, on files decoded as `kerasad predict`
decodes them. The others get the same pixels (the detector run eagerly, operation by operation, and
the `.keras` file loaded in a fresh process) or the bytes of the files (the SavedModel in a session,
after `tf.saved_model.load`, by `saved_model_cli`, and by gRPC from the official stub and service
over a session). One row for each execution is appended to the output file; rows that it already
holds are not measured again.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from results import append_row, find_row, markdown_table, read_rows

import kerasad  # noqa: F401  (registers the classes)
from kerasad.data import read_category
from kerasad.data.geometry import pack_inputs
from kerasad.export import execution
from kerasad.export.samples import make_sample, read_sendable
from kerasad.runs.run import open_run

sys.path.append(str(Path(__file__).parents[1] / "tests" / "export"))
BATCH = 16
COMPARED = ("anomaly_score", "anomaly_map", "p_value", "is_anomalous")
HEADER = ("execution", "images", "score", "map", "p-value", "decisions that differ")


def main():
    if sys.argv[1:2] == ["--reload"]:
        return predict_reloaded(*sys.argv[2:])
    arguments = parse_arguments()
    rows = []
    with tempfile.TemporaryDirectory() as work:
        reference = None
        for name, run in EXECUTIONS.items():
            key = {"data": Path(arguments.data).name, "run": Path(arguments.run).name}
            key |= {"version": Path(arguments.version).name, "execution": name}
            row = find_row(read_rows(arguments.output), key)
            if row is None:
                reference = reference or Reference(arguments, Path(work))
                found = run(reference)
                row = append_row(arguments.output, {**key, **reference.compare(found)})
            rows.append([row[column] for column in ("execution", "images", *COMPARED[:3])])
            rows[-1] = [f"{cell:.1e}" if isinstance(cell, float) else cell for cell in rows[-1]]
            rows[-1].append(row["is_anomalous"])
    print(markdown_table(HEADER, rows))
    return None


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", help="folder that `kerasad train` wrote")
    parser.add_argument("version", help="folder that `kerasad export` wrote from it")
    parser.add_argument("--data", required=True, help="category in MVTec layout")
    parser.add_argument("--output", default="export_parity.jsonl", help="JSON lines to append to")
    return parser.parse_args()


class Reference:
    """The detector's own answers to a test set, batch by batch, and the files."""

    def __init__(self, arguments, work):
        run = open_run(arguments.run)
        self.detector_path = run.part("detector.keras")
        self.version, self.work = Path(arguments.version), work
        self.detector = detector = run.load_detector()
        decoding = run.config.data.decoding
        records = read_category(arguments.data).test
        self.batches, self.answers, self.valid = [], [], []
        for first in range(0, len(records), BATCH):
            samples = [
                make_sample(read_sendable(record, decoding), detector.geometry, decoding)
                for record in records[first : first + BATCH]
            ]
            images = np.stack([sample.image for sample in samples])
            inputs = {"images": images}
            if detector.keep_aspect:
                inputs["valid"] = np.stack([sample.valid for sample in samples])
            files = [sample.data for sample in samples]
            np.savez(
                work / f"{first:06d}{execution.INPUTS}", **inputs, **execution.pack_files(files)
            )
            self.batches.append(files)
            self.valid.append(inputs.get("valid", np.ones_like(images[..., :1])) > 0.5)
            outputs = detector.predict_on_batch(pack_inputs(images, inputs.get("valid")))
            self.answers.append({name: outputs[name] for name in COMPARED})

    def compare(self, found):
        """Returns the largest difference of each output, and how many decisions differ."""
        largest = dict.fromkeys(COMPARED, 0)
        for outputs, expected, valid in zip(found, self.answers, self.valid, strict=True):
            for name in COMPARED:
                difference = np.abs(outputs[name].astype("float64") - expected[name])
                if name == "is_anomalous":
                    largest[name] += int(difference.sum())
                    continue
                difference = difference[valid] if difference.ndim > 1 else difference
                largest[name] = max(float(largest[name]), float(difference.max()))
        return {**largest, "images": sum(map(len, self.batches)), "tensorflow": tf.__version__}


def run_eager(reference):
    for inputs in sorted(reference.work.glob(f"*{execution.INPUTS}")):
        with np.load(inputs) as arrays:
            given = pack_inputs(arrays["images"], arrays.get("valid"))
        yield reference.detector.call_eagerly(given)


def run_keras(reference):
    command = [sys.executable, __file__, "--reload", reference.detector_path, reference.work]
    subprocess.run(list(map(str, command)), check=True)
    return _outputs(reference, "keras")


def predict_reloaded(path, work):
    """In a process of its own: the `.keras` file on the prepared pixels."""
    detector = keras.saving.load_model(path, safe_mode=True)
    for inputs in sorted(Path(work).glob(f"*{execution.INPUTS}")):
        with np.load(inputs) as arrays:
            given = pack_inputs(arrays["images"], arrays.get("valid"))
            outputs = detector.predict_on_batch(given)
        np.savez(inputs.with_name(f"{inputs.name.split('.')[0]}.keras.npz"), **outputs)


def run_session(reference):
    return _run_fresh(reference, "session")


def run_loaded(reference):
    return _run_fresh(reference, "loaded")


def _run_fresh(reference, name):
    if not list(reference.work.glob(f"*.{name}.*")):  # one process runs both
        command = [sys.executable, "-P", execution.__file__, reference.version, reference.work]
        subprocess.run(list(map(str, command)), check=True)
    return _outputs(reference, f"{name}.serving_bytes")


def _outputs(reference, name):
    for path in sorted(reference.work.glob(f"*.{name}.npz")):
        with np.load(path) as arrays:
            yield {output: arrays[output] for output in COMPARED}


def run_saved_model_cli(reference):
    program = Path(sys.executable).with_name("saved_model_cli")
    for number, files in enumerate(reference.batches):
        folder = reference.work / f"cli_{number}"
        folder.mkdir()
        np.save(folder / "files.npy", np.array(files))  # an array of bytes needs no pickle
        command = [program, "run", "--dir", reference.version, "--tag_set", "serve"]
        command += ["--signature_def", "serving_bytes", "--outdir", folder]
        command += ["--inputs", f"image_bytes={folder / 'files.npy'}"]
        environment = {"TF_CPP_MIN_LOG_LEVEL": "3", **os.environ}
        subprocess.run(
            list(map(str, command)), check=True, env=environment, stdout=subprocess.DEVNULL
        )
        yield {name: np.load(folder / f"{name}.npy") for name in COMPARED}


def run_grpc(reference):
    from session_server import make_request, serve

    with serve(reference.version) as stub:
        for files in reference.batches:
            answer = stub.Predict(make_request(files), timeout=600)
            yield {name: tf.make_ndarray(answer.outputs[name]) for name in COMPARED}


EXECUTIONS = {
    "eager": run_eager,
    "reloaded .keras": run_keras,
    "tf.saved_model.load": run_loaded,
    "session": run_session,
    "saved_model_cli": run_saved_model_cli,
    "gRPC": run_grpc,
}

if __name__ == "__main__":
    main()
