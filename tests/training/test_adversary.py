import warnings

import numpy as np
import pytest
import tensorflow as tf

from kerasad.data.geometry import unpack_inputs
from kerasad.models.base import AnomalyModel
from kerasad.training.adversary import DiscriminatorWatch


class Judge(AnomalyModel):
    """A model whose logits follow from the images: `slope` times their mean, and `made`."""

    def __init__(self, slope=0.0, made=None):
        super().__init__()
        self.slope, self.made = slope, made

    def image_logits(self, inputs):
        images, _ = unpack_inputs(inputs)
        real = self.slope * tf.reduce_mean(images, axis=(1, 2, 3))
        made = real if self.made is None else 0 * real + self.made
        return {"image": real, "reconstruction": made}


def pictures(count=6):
    images = np.random.default_rng(0).uniform(0.4, 0.6, (count, 16, 16, 3)).astype("float32")
    return tf.data.Dataset.from_tensor_slices(images).batch(4)


def watched(model, epochs=3, **options):
    watch, rows = DiscriminatorWatch(pictures(), **options), []
    watch.set_model(model)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for epoch in range(epochs):
            rows.append({})
            watch.on_epoch_end(epoch, rows[-1])
        watch.on_train_end()
    return rows, [str(one.message) for one in caught]


def test_the_auroc_is_the_share_of_pairs_in_the_right_order():
    means = np.concatenate([batch.mean(axis=(1, 2, 3)) for batch in pictures().as_numpy_iterator()])
    made = float(np.sort(means)[[1, 2]].mean())  # below four images of six
    rows, _ = watched(Judge(slope=1.0, made=made))
    assert rows[0]["discriminator_auroc"] == pytest.approx(4 / 6)


def test_a_discriminator_that_tells_reconstructions_is_alive():
    rows, caught = watched(Judge(made=-1.0))
    assert rows[-1] == {"discriminator_auroc": 1.0, "discriminator_damage_auroc": 0.5}
    assert not caught


def test_one_that_tells_nothing_is_named():
    rows, caught = watched(Judge())
    assert rows[0] == {"discriminator_auroc": 0.5, "discriminator_damage_auroc": 0.5}
    assert len(caught) == 1
    assert "discriminator is dead" in caught[0]


def test_damage_of_another_family_changes_its_logits():
    assert watched(Judge(slope=1.0))[0][0]["discriminator_damage_auroc"] != 0.5


def test_it_looks_after_the_epochs_that_it_is_given():
    watch = DiscriminatorWatch(pictures(), epochs=[2])
    watch.set_model(Judge(made=-1.0))
    logs = {}
    watch.on_epoch_end(0, logs)
    assert logs == {}


def test_a_model_without_a_discriminator_has_no_such_logs():
    rows, caught = watched(AnomalyModel())
    assert rows == [{}, {}, {}]
    assert not caught
