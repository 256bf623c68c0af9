"""kerasad's side of the comparison with peers: trains, predicts and times one model.

Started by `compare.py`, each step in a process of its own, not by hand. Trains like `kerasad train`
with its defaults, on the files of the exchange. Times the compiled call of the detector, from
decoded images to map, score and decision.
"""

import argparse
import os
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf
from peers.exchange import (
    BATCH_SIZES,
    EXCHANGE,
    TEST,
    VALID,
    Images,
    add_arguments,
    read_json,
    run_step,
    time_calls,
    write_predictions,
)

RUN = "run"
OUTPUTS = ("anomaly_map", "anomaly_score", "p_value", "is_anomalous")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_arguments(parser)
    arguments = parser.parse_args()
    if arguments.threads is not None:
        tf.config.threading.set_intra_op_parallelism_threads(arguments.threads)
        tf.config.threading.set_inter_op_parallelism_threads(arguments.threads)
    run_step(arguments, {"fit": fit, "predict": predict, "time": time_model})


def fit(arguments):
    """Does what `kerasad train` does."""
    import keras

    from kerasad.runs.folder import DETECTOR
    from kerasad.runs.train import train_run
    from kerasad.training.config import DataConfig, ModelConfig, RunConfig, TrainingConfig
    from kerasad.version import __version__

    description = read_json(arguments.exchange / EXCHANGE)
    size = "x".join(map(str, description["image_size"]))
    config = RunConfig(
        DataConfig(path=description["path"], image_size=size),
        ModelConfig(arguments.model),
        TrainingConfig(seed=arguments.seed, epochs=arguments.settings["epochs"]),
    )
    started = time.perf_counter()
    run = train_run(config, arguments.output / RUN, overwrite=True, verbose=0)
    seconds = time.perf_counter() - started
    return {
        "fit_seconds": round(seconds, 2),
        "epochs": run.config.training.epochs,
        "train_images": len(run.provenance.images("train")),
        "model_mb": run.part(DETECTOR).stat().st_size / 2**20,
        "versions": {
            "kerasad": __version__,
            "keras": keras.__version__,
            "tensorflow": tf.__version__,
        },
    }


def predict(arguments):
    """Writes scores and maps of all test images."""
    call, images, valid = load(arguments)
    scores, maps, start = [], [], 0
    for batch in images.batches(BATCH_SIZES[-1]):
        stop = start + len(batch)
        outputs = call(batch, None if valid is None else valid[start:stop])
        scores.append(outputs["anomaly_score"])
        maps.append(outputs["anomaly_map"][..., 0])
        start = stop
    write_predictions(arguments.output, np.concatenate(scores), np.concatenate(maps))
    return {}


def time_model(arguments):
    """Times the detector, and beside it the bare backbone as it is built into models."""
    from kerasad.backbones import build_backbone

    call, images, valid = load(arguments)
    backbone = build_backbone("efficientnet_lite0", images.shape)
    forward = tf.function(lambda batch: backbone(batch, training=False))
    calls = {
        # Which pixels are padding takes no time to say: every batch may be told the same.
        "model": lambda batch: call(batch, None if valid is None else valid[: len(batch)]),
        "backbone": lambda batch: [f.numpy() for f in forward(tf.constant(batch)).values()],
    }
    repeats = dict(zip(BATCH_SIZES, arguments.repeats, strict=True))
    return {"milliseconds": time_calls(calls, images, repeats)}


def load(arguments):
    """Returns a function from decoded images to arrays, the test images and what of them counts."""
    from kerasad.runs.run import open_run

    description = read_json(arguments.exchange / EXCHANGE)
    detector = open_run(arguments.output / RUN).load_detector()
    if list(detector.image_size) != description["image_size"]:
        raise SystemExit(f"The detector's size is {detector.image_size}.")

    @tf.function
    def forward(inputs):
        outputs = detector(inputs, training=False)
        return {name: outputs[name] for name in OUTPUTS}

    def call(batch, valid):
        inputs = tf.constant(batch)
        if valid is not None:
            inputs = {"images": inputs, "valid": tf.constant(valid, "float32")}
        return {name: value.numpy() for name, value in forward(inputs).items()}

    valid = np.load(arguments.exchange / VALID) if description["padded"] else None
    return call, Images(arguments.exchange / TEST, description["image_size"]), valid


if __name__ == "__main__":
    main()
