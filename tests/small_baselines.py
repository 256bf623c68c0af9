"""The smallest model of each baseline, and small images."""

import numpy as np

from kerasad.training.building import build_model
from kerasad.training.config import ModelConfig
from kerasad.training.recipes import RECIPES, resolve_arguments

SHAPE = (16, 16, 3)
TINY = {"filters": 2, "depth": 2, "latent_dim": 3, "backbone_weights": None}
NAMES = [name for name, recipe in RECIPES.items() if recipe.model.startswith("kerasad.baselines.")]


def make_baseline(name, **options):
    """Returns the untrained model of a recipe, as small as it may be."""
    known = resolve_arguments(ModelConfig(name), 0).arguments
    tiny = {key: value for key, value in TINY.items() if key in known}
    return build_model(ModelConfig(name, {**tiny, **options}), SHAPE, seed=0)


def draw_images(count=6, seed=0):
    """Waves of random direction, float32 in [0, 1]."""
    generator = np.random.default_rng(seed)
    rows, columns = np.mgrid[: SHAPE[0], : SHAPE[1]] / SHAPE[0]
    waves = generator.uniform(-9, 9, size=(2, count, 1, 1, 3))
    phase = waves[0] * rows[..., None] + waves[1] * columns[..., None]
    return (0.5 + 0.45 * np.sin(phase)).astype("float32")
