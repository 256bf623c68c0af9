"""What every model computes in graphs beside eager mode, in a process of its own.

    python graph_beside_eager.py RESULT.json

`RESULT.json` has, by model and then by way of execution, the largest difference of any tensor from
eager mode, as a share of that tensor's largest value.
"""

import importlib.util
import json
import sys

import keras
import numpy as np
import tensorflow as tf

import kerasad
from kerasad.backbones import build_backbone
from kerasad.models import FeatureExtractor

BATCHES = (1, 2, 8)
PICTURES = ("vae_gan", "cavga_r", "feature_vae_gan", "feature_vae_gan, odd grid")
"""Models whose reconstruction is looked at apart; those of the others come from the same layers."""
TRANSFORMER = {
    "num_layers": 2,
    "hidden_dim": 16,
    "num_heads": 2,
    "intermediate_dim": 32,
    "num_register_tokens": 4,
}
SMALL = {"filters": 4, "latent_dim": 4, "embedding_dim": 8, "num_sub_centers": 2, "seed": 0}


def models():
    """Yields a name, a function of images to a dict of tensors, and the weights it reads."""
    shape = (32, 32, 3)
    for name, make in {
        "vae_gan": lambda: kerasad.VAEGAN(shape, **SMALL),
        "vae_gan, dense": lambda: kerasad.VAEGAN(shape, latent="dense", **SMALL),
        "vae_gan, attention by tape": lambda: kerasad.VAEGAN(shape, attention_layer=1, **SMALL),
        "cavga_d": lambda: kerasad.CAVGA(shape, encoder_type="dcgan", **SMALL),
        "cavga_r": lambda: kerasad.CAVGA(shape, encoder_type="resnet18", **SMALL),
        "feature_vae_gan": lambda: kerasad.FeatureVAEGAN(shape, **SMALL),
        "feature_vae_gan, odd grid": lambda: kerasad.FeatureVAEGAN((40, 72, 3), **SMALL),
        "feature_extractor": lambda: FeatureExtractor(shape),
    }.items():
        model = make()
        yield name, model.tensors, model.weights, model.image_shape
        if name in PICTURES:
            yield f"{name}, picture", picture_of(model), [], model.image_shape
    for name, weights in (("efficientnet_lite0", "imagenet"), ("resnet18", None)):
        backbone = build_backbone(name, shape, weights=weights)
        yield name, lambda x, b=backbone: b(x, training=False), [], shape
    if importlib.util.find_spec("keras_hub") is not None:
        for family, patch in (("dinov2", 14), ("dinov3", 16)):
            architecture = {"family": family, "patch_size": patch, **TRANSFORMER}
            model = FeatureExtractor(shape, "dino", None, None, architecture)
            weights = model.view.backbone.get_layer("patch_tokens").encoder.weights
            yield family, model.tensors, weights, shape


def picture_of(model):
    """Returns the function from images to a dict of the model's reconstruction."""
    return lambda images: {"picture": model.reconstruct(images)}


def train(weights, generator):
    """Moves every weight as a training does: at the start biases are 0, which hides faults."""
    for weight in weights:
        if weight.dtype.startswith("float"):
            noise = generator.normal(0, 0.2, weight.shape)
            positive = "variance" in weight.name or "deviation" in weight.name
            weight.assign(weight.numpy() + (np.abs(noise) if positive else noise))


def compare(function, image_shape, generator):
    """Returns the largest difference from eager mode by way of execution."""
    images = generator.uniform(size=(max(BATCHES), *image_shape)).astype("float32")
    eager = function(tf.constant(images))
    found = {}
    for size in (1, 2, None):
        spec = tf.TensorSpec((size, *image_shape), tf.float32)
        graph = tf.function(function, autograph=False, input_signature=[spec])
        for batch in BATCHES if size is None else (size,):
            parts = [graph(images[i : i + batch]) for i in range(0, len(images), batch)]
            way = f"batch {batch}, {'static' if size else 'dynamic'}"
            found[way] = max(_difference(name, eager[name], parts) for name in eager)
    return found


def _difference(name, eager, parts):
    eager = np.asarray(eager)
    of_images = [np.asarray(part[name]) for part in parts]
    if sum(map(len, of_images)) != len(eager):  # the same for all images, as `prototypes`
        of_images = of_images[:1]
    return float(np.abs(np.concatenate(of_images) - eager).max() / np.abs(eager).max())


def main(result):
    """Compares every model."""
    keras.utils.set_random_seed(0)
    generator = np.random.default_rng(0)
    found = {}
    for name, function, weights, image_shape in models():
        train(weights, generator)
        found[name] = compare(function, image_shape, generator)
    with open(result, "w", encoding="utf-8") as file:
        json.dump(found, file)


if __name__ == "__main__":
    main(sys.argv[1])
