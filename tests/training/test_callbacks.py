import math
import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf

from kerasad.data.geometry import unpack_inputs
from kerasad.errors import InputError
from kerasad.models.base import AnomalyModel
from kerasad.training.callbacks import (
    CollapseNotice,
    HistoryWriter,
    SyntheticLocalization,
    read_history,
)


class WhiteCorner:
    """Paints a white square into the top-left corner: a defect that can be checked by eye."""

    def draw(self, images, seed, valid=None):
        mask = np.zeros((*images.shape[:3], 1), "float32")
        mask[:, :2, :3] = 1.0
        return images * (1 - mask) + mask, mask


def dark_images(count, batch_size):
    return tf.data.Dataset.from_tensor_slices(np.zeros((count, 8, 8, 3), "float32")).batch(
        batch_size
    )


def epoch_logs(callback, model, epoch=0):
    callback.set_model(model)
    logs = {}
    callback.on_epoch_end(epoch, logs)
    return logs


class Constant(AnomalyModel):
    """A model that restores every image in one shade."""

    def __init__(self, shade):
        super().__init__()
        self.shade = shade

    def call(self, inputs):
        return self.shade + 0 * unpack_inputs(inputs)[0]

    def residual_map(self, inputs):
        images, _ = unpack_inputs(inputs)
        return keras.ops.mean(keras.ops.abs(images - self.shade), axis=-1, keepdims=True)


def test_collapse_is_noticed_after_the_warmup_and_once():
    notice = CollapseNotice(warmup_epochs=2)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        notice.on_epoch_end(0, {"active_latents": 0.0})
        notice.on_epoch_end(1, {"active_latents": 0.0})
    with pytest.warns(UserWarning, match=r"latent collapsed \(epoch 3"):
        notice.on_epoch_end(2, {"active_latents": 0.0, "reconstruction_contrast": 0.9})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        notice.on_epoch_end(3, {"active_latents": 0.0})


def test_a_training_that_ends_within_the_warmup_is_judged_too():
    notice = CollapseNotice(warmup_epochs=9)
    notice.set_params({"epochs": 2})
    notice.on_epoch_end(0, {"active_latents": 0.0})
    assert notice.message is None
    with pytest.warns(UserWarning, match=r"latent collapsed \(epoch 2"):
        notice.on_epoch_end(1, {"active_latents": 0.0})


def test_constant_reconstructions_are_noticed():
    with pytest.warns(UserWarning, match=r"nearly constant .* is 0\.049"):
        CollapseNotice().on_epoch_end(0, {"active_latents": 0.4, "reconstruction_contrast": 0.049})


def test_a_healthy_model_is_not_warned_about():
    notice = CollapseNotice()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        notice.on_epoch_end(0, {"active_latents": 0.02, "reconstruction_contrast": 0.05})
        notice.on_epoch_end(1, {})
    assert notice.message is None


def test_a_model_that_removes_the_defect_localizes_it_perfectly():
    callback = SyntheticLocalization(dark_images(3, 2), defects=WhiteCorner())
    assert epoch_logs(callback, Constant(0.0)) == {
        "synthetic_iou": 1.0,
        "synthetic_pixel_auroc": 1.0,
    }


def test_a_model_that_paints_all_white_ranks_every_pixel_wrong():
    callback = SyntheticLocalization(dark_images(3, 2), defects=WhiteCorner())
    logs = epoch_logs(callback, Constant(1.0))
    # All pixels flagged is the best that is left: 6 of 64 pixels are defective.
    assert logs["synthetic_iou"] == pytest.approx(6 / 64)
    assert logs["synthetic_pixel_auroc"] == 0.0


def test_the_defects_are_the_same_in_every_epoch_and_no_more_than_asked_for():
    callback = SyntheticLocalization(dark_images(5, 2), max_images=3, defects=WhiteCorner())
    assert [len(mask) for _, mask, _ in callback.batches] == [2, 1]
    assert epoch_logs(callback, Constant(0.3)) == epoch_logs(callback, Constant(0.3))


def test_padding_counts_nowhere():
    valid = np.ones((2, 8, 8, 1), "float32")
    valid[:, :, 3:] = 0.0  # leaves 6 defective and 18 good pixels
    images = np.zeros((2, 8, 8, 3), "float32")
    dataset = tf.data.Dataset.from_tensor_slices({"images": images, "valid": valid}).batch(2)
    callback = SyntheticLocalization(dataset, defects=WhiteCorner())
    assert epoch_logs(callback, Constant(1.0))["synthetic_iou"] == pytest.approx(6 / 24)


def test_a_model_without_a_residual_map_has_no_such_curves():
    callback = SyntheticLocalization(dark_images(2, 2), defects=WhiteCorner())
    assert epoch_logs(callback, AnomalyModel()) == {}


def test_a_real_fit_fills_the_history_with_what_other_callbacks_log(tmp_path):
    model = Constant(0.0)
    model.compile("sgd", "mse")
    images = np.zeros((4, 8, 8, 3), "float32")
    callbacks = [
        SyntheticLocalization(dark_images(2, 2), defects=WhiteCorner()),
        HistoryWriter(tmp_path / "history.csv"),
    ]
    model.fit(images, images, epochs=2, callbacks=callbacks, verbose=0)

    history = read_history(tmp_path / "history.csv")
    assert history["synthetic_iou"] == [1.0, 1.0]
    assert history["epoch"] == [1, 2]


def test_history_has_a_row_an_epoch_and_keeps_the_order_of_the_logs(tmp_path):
    writer = HistoryWriter(tmp_path / "history.csv")
    for epoch, logs in enumerate([{"loss": 2.0, "kl_loss": 0.25}, {"loss": 1.5, "val_loss": 3.0}]):
        writer.on_epoch_begin(epoch)
        writer.on_epoch_end(epoch, logs)

    lines = (tmp_path / "history.csv").read_text().splitlines()
    assert lines[0] == "epoch,loss,kl_loss,val_loss,seconds"
    assert lines[1].startswith("1,2.0,0.25,,")
    history = read_history(tmp_path / "history.csv")
    assert history["epoch"] == [1, 2]
    assert history["loss"] == [2.0, 1.5]
    assert math.isnan(history["kl_loss"][1])
    assert history["val_loss"][1] == 3.0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"line 1: it is not the header of a history"),
        ("junk\n", r"line 1: it is not the header of a history"),
        ("epoch,loss\n1,2.0\n", r"line 1: it is not the header of a history"),
        ("epoch,loss,seconds\n", r"line 1: no epoch follows"),
        ("epoch,loss,seconds\n1,2.0,3.0\n2,x\x01,3.0\n", r"line 3: could not convert"),
        ("epoch,loss,seconds\n1,2.0,3.0\n2,1", r"line 3: it has 2 cells, the header 3"),
        ("epoch,loss,seconds\n1,2.0,\n", r"line 2: `seconds` must be a finite number, found ''"),
    ],
)
def test_a_damaged_history_is_named_with_its_line(tmp_path, text, message):
    path = tmp_path / "history.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=r"history\.csv, " + message):
        read_history(path)


def test_a_history_that_is_no_text_or_not_there_is_named(tmp_path):
    (tmp_path / "history.csv").write_bytes(b"\xff\xfe\x00")
    for name, message in (("history.csv", ", line 1: 'utf-8' codec"), ("gone.csv", " cannot be")):
        with pytest.raises(InputError, match=name + message):
            read_history(tmp_path / name)
