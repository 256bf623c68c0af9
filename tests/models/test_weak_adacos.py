import numpy as np
import pytest

from kerasad.models.adacos import WeakClasses, build_adacos_classes, weighted_cross_entropy
from kerasad.models.base import TrainingBatch

GRID = (5, 10)  # 50 cells, of which 2 % are one


def make_mode():
    return build_adacos_classes("weak", (None, *GRID, 4), "fixed", 2, 2, seed=3)


def make_batch(labels, real=None):
    """4 px cells; `valid` is 0 on labelled images."""
    count, height, width = len(labels), 4 * GRID[0], 4 * GRID[1]
    labels = np.array(labels, "float32")
    real = np.ones((count, height, width, 1), "float32") if real is None else real
    mask = np.zeros((count, height, width, 1), "float32")
    valid = real * (1 - labels)[:, None, None, None]
    return TrainingBatch(None, real, None, None, mask, None, valid, labels)


def embeddings(count, seed=0):
    return np.random.default_rng(seed).normal(size=(count, *GRID, 4)).astype("float32")


def odds(mode, embedding):
    logits = np.asarray(mode.tensors(embedding)["class_logits"])
    return logits[..., 1] - logits[..., 0]


def test_good_cells_and_the_worst_cell_of_a_labelled_image_weigh_alike():
    mode, real = make_mode(), embeddings(3)
    logits = np.asarray(mode.tensors(real)["class_logits"], "float64")
    log_p = logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))
    y, x = np.unravel_index(np.argmax(odds(mode, real)[1]), GRID)
    good = -log_p[[0, 2], ..., 0].mean()
    expected = (good - log_p[1, y, x, 1]) / 2
    loss = mode.discriminator_loss(real, None, make_batch([0, 1, 0]))
    assert float(loss) == pytest.approx(expected, rel=1e-5)


def test_a_batch_without_a_labelled_image_teaches_good_alone():
    mode, real = make_mode(), embeddings(2)
    loss = mode.discriminator_loss(real, None, make_batch([0, 0]))
    labels, weights = np.zeros((2, *GRID), "int32"), np.ones((2, *GRID), "float32")
    expected = weighted_cross_entropy(labels, mode.tensors(real)["class_logits"], weights)
    assert float(loss) == pytest.approx(float(expected), rel=1e-6)


def test_a_padded_cell_never_stands_for_a_defect():
    mode, real = make_mode(), embeddings(2)
    y, x = np.unravel_index(np.argmax(odds(mode, real)[1]), GRID)
    pixels = np.ones((2, 4 * GRID[0], 4 * GRID[1], 1), "float32")
    pixels[1, 4 * y : 4 * y + 4, 4 * x : 4 * x + 1] = 0.0
    chosen = np.asarray(mode._most_defective(real, make_batch([0, 1], pixels)))
    assert chosen.sum() == 1.0
    assert chosen[1, y, x] == 0.0


def test_the_share_of_cells_rounds_to_at_least_one():
    assert round(WeakClasses.most_defective * 50) == 1
    chosen = make_mode()._most_defective(embeddings(1), make_batch([1]))
    assert float(np.asarray(chosen).sum()) == 1.0


def test_it_offers_the_centers_of_good_and_two_logits():
    mode = make_mode()
    tensors = mode.tensors(embeddings(1))
    assert tensors["prototypes"].shape == (2, 4)
    assert tensors["class_logits"].shape == (1, *GRID, 2)
