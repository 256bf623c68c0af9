"""Three numbers an epoch."""

from kerasad.progress import Phase
from kerasad.training.epoch_progress import EpochProgress


def train(told, *logs):
    with Phase("training", len(logs), "epoch") as phase:
        callback = EpochProgress(phase, told)
        callback.set_params({"epochs": len(logs)})
        for epoch, values in enumerate(logs):
            callback.on_epoch_end(epoch, values)


def test_a_log_has_three_numbers_of_the_epochs_that_are_told(capsys):
    first = {"kl_loss": 1.0, "loss": 0.51234, "discriminator_loss": 9.0}
    rest = {"val_loss": 0.75, "val_kl_loss": 1.0, "synthetic_iou": 0.25}
    train([2], first, {**first, **rest}, first)
    assert capsys.readouterr().out.splitlines() == [
        "  epoch 2 of 3: loss 0.512, val_loss 0.75, synthetic_iou 0.25",
        "training: 3 epochs, 0 s",
    ]


def test_what_a_training_has_not_is_replaced_and_what_an_epoch_lacks_stays(capsys):
    logs = {"loss": 1.0, "encoder_loss": 0.5, "discriminator_loss": 2.0}
    train([2], {**logs, "val_loss": 3.0}, logs)
    expected = "  epoch 2 of 2: loss 1, val_loss 3, discriminator_loss 2"
    assert capsys.readouterr().out.splitlines()[0] == expected
