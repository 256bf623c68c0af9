"""The peers' side: anomalib's models on kerasad's backbone and pixels. Runs without kerasad.

Started by `compare.py` in the peers' virtual environment, not by hand. PaDiM, PatchCore and STFPM
use EfficientNet-Lite0 with the same ImageNet weights and taps as kerasad; GANomaly trains its own
network. The input of all is `(255 * RGB - 127) / 128`. Everything else has anomalib's defaults. The
models are trained by anomalib's `Engine`.
"""

import argparse
import contextlib
import importlib.metadata
import logging
import os
import shutil
import time
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"  # nothing is downloaded: the weights are those of the exchange
os.environ["TQDM_DISABLE"] = "1"

import anomalib.models.components.feature_extractors.timm as extractor
import numpy as np
import timm
import torch
from anomalib.data import ImageBatch
from anomalib.engine import Engine
from anomalib.models import Ganomaly, Padim, Patchcore, Stfpm
from anomalib.pre_processing import PreProcessor
from lightning.pytorch import seed_everything
from peers.exchange import (
    BATCH_SIZES,
    EXCHANGE,
    FEATURES,
    GOOD,
    SPLITS,
    TEST,
    Images,
    add_arguments,
    read_json,
    run_step,
    time_calls,
    write_json,
    write_predictions,
)
from peers.weights import STAGES_OF_TAPS, TIMM_NAME, to_timm
from torchvision.transforms.v2 import Compose, Normalize, Resize

MODEL_FILE = "model.pt"
LARGEST_DIFFERENCE = 1e-3  # of a feature, relative to the largest of its tap


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_arguments(parser)
    parser.add_argument("--check", action="store_true", help="compare the features before `fit`")
    arguments = parser.parse_args()
    logging.disable(logging.WARNING)
    if arguments.threads is not None:
        torch.set_num_threads(arguments.threads)
    if arguments.check:
        check_features(arguments.exchange)
    run_step(arguments, {"fit": fit, "predict": predict, "time": time_model})


def check_features(exchange):
    """Asserts that timm's features are kerasad's, and writes by how much they differ."""
    description = read_json(exchange / EXCHANGE)
    images = Images(exchange / TEST, description["image_size"])
    with np.load(exchange / FEATURES) as file:
        expected = {tap: file[tap] for tap in file.files}
    count = len(next(iter(expected.values())))
    with lite0_weights(description["weights"]):
        network = extractor.TimmFeatureExtractor(
            TIMM_NAME, [STAGES_OF_TAPS[tap] for tap in expected], pre_trained=True
        )
    batch = to_tensor(np.stack([images[i] for i in range(count)]))
    features = network(pre_processor(description["image_size"])(batch))
    differences = {}
    for tap, values in expected.items():
        found = features[STAGES_OF_TAPS[tap]].numpy().transpose(0, 2, 3, 1)
        assert found.shape == values.shape, f"{tap}: {found.shape} in timm, {values.shape} here"
        largest = float(np.abs(values).max())
        differences[tap] = {"largest": largest, "difference": float(np.abs(found - values).max())}
        print(f"{tap}: differs by at most {differences[tap]['difference']:.2g} of {largest:.3g}")
        assert differences[tap]["difference"] <= LARGEST_DIFFERENCE * largest, f"{tap} differs"
    write_json(exchange / "features_check.json", differences)


def fit(arguments):
    """Trains a model by anomalib's engine and writes its state."""
    description = read_json(arguments.exchange / EXCHANGE)
    rows = train_rows(arguments, description)
    seed_everything(arguments.seed)
    started = time.perf_counter()
    module = build(arguments, description)
    images = Images(arguments.exchange / GOOD, description["image_size"])
    loader = torch.utils.data.DataLoader(
        torch.utils.data.Subset(images, rows),
        batch_size=32,  # anomalib's default
        shuffle=True,
        collate_fn=lambda batch: ImageBatch(image=to_tensor(np.stack(batch))),
    )
    epochs = {"max_epochs": arguments.settings["epochs"]} if trains(arguments.model) else {}
    folder = arguments.output / "engine"
    engine = Engine(
        default_root_dir=folder,
        accelerator="cpu",
        devices=1,
        enable_progress_bar=False,
        enable_model_summary=False,
        **epochs,
    )
    engine.fit(module, train_dataloaders=loader)
    path = arguments.output / MODEL_FILE
    torch.save(module.model.state_dict(), path)
    seconds = time.perf_counter() - started
    shutil.rmtree(folder, ignore_errors=True)
    return {
        "fit_seconds": round(seconds, 2),
        "train_images": len(rows),
        "model_mb": path.stat().st_size / 2**20,
        "versions": {
            name: importlib.metadata.version(name)
            for name in ("anomalib", "torch", "torchvision", "timm")
        },
    }


def predict(arguments):
    """Writes scores and maps of all test images."""
    call, images = load(arguments)
    scores, maps = [], []
    for batch in images.batches(BATCH_SIZES[-1]):
        found = call(batch)
        scores.append(found[0])
        if len(found) > 1:
            maps.append(found[1][:, 0] if found[1].ndim == 4 else found[1])
    write_predictions(
        arguments.output, np.concatenate(scores), np.concatenate(maps) if maps else None
    )
    return {}


def time_model(arguments):
    call, images = load(arguments)
    repeats = dict(zip(BATCH_SIZES, arguments.repeats, strict=True))
    return {"milliseconds": time_calls({"model": call}, images, repeats)}


def load(arguments):
    """Returns a function from decoded images to scores and maps, and the test images."""
    description = read_json(arguments.exchange / EXCHANGE)
    module = build(arguments, description)
    state = torch.load(arguments.output / MODEL_FILE, weights_only=True)
    module.model.load_state_dict(state)
    module.eval()

    def call(batch):
        with torch.inference_mode():
            found = module(to_tensor(batch))
        parts = (found.pred_score, found.anomaly_map)
        return [part.numpy() for part in parts if part is not None]

    return call, Images(arguments.exchange / TEST, description["image_size"])


def build(arguments, description):
    """Returns an untrained module of anomalib; its score and map are raw, not normalized."""
    settings = arguments.settings
    parts = {"pre_processor": pre_processor(description["image_size"])}
    parts |= dict.fromkeys(("post_processor", "evaluator", "visualizer"), False)
    backbone = {"backbone": TIMM_NAME, "layers": [STAGES_OF_TAPS[t] for t in taps(arguments.model)]}
    with lite0_weights(description["weights"]):
        if arguments.model == "padim":
            return Padim(**backbone, n_features=settings["features"], **parts)
        if arguments.model == "patchcore":
            return Patchcore(**backbone, coreset_sampling_ratio=settings["coreset"], **parts)
        if arguments.model == "stfpm":
            return Stfpm(**backbone, **parts)
    return Ganomaly(**parts)


def taps(model):
    return ("block_4", "block_10") if model == "patchcore" else tuple(STAGES_OF_TAPS)


def trains(model):
    """Whether the number of epochs is ours to choose; a memory or a Gaussian takes one."""
    return model in ("stfpm", "ganomaly")


def train_rows(arguments, description):
    if arguments.settings["see"] == "all":
        return list(range(description["num_good"]))
    return read_json(arguments.exchange / SPLITS)[str(arguments.seed)]["train"]


def pre_processor(image_size):
    # The images have their size already; GANomaly reads it from here.
    resize = Resize(tuple(image_size), antialias=True)
    normalize = Normalize(mean=[127 / 255] * 3, std=[128 / 255] * 3)
    return PreProcessor(transform=Compose([resize, normalize]))


def to_tensor(batch):
    return torch.from_numpy(np.ascontiguousarray(batch.transpose(0, 3, 1, 2)))


@contextlib.contextmanager
def lite0_weights(path):
    """Inside, timm's pretrained network is the one of a file, and nothing is downloaded."""
    create = timm.create_model

    def create_model(name, pretrained=False, **options):
        network = create(name, pretrained=False, **options)
        if pretrained:
            if name != TIMM_NAME:
                raise ValueError(f"There are no weights of {name}.")
            tensors = torch.load(Path(path), weights_only=True)
            network.load_state_dict(to_timm(tensors, with_head=False), strict=True)
        return network

    timm.create_model = create_model
    try:
        yield
    finally:
        timm.create_model = create


if __name__ == "__main__":
    main()
