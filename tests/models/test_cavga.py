import keras
import numpy as np
import pytest

import kerasad
from kerasad import InputError
from kerasad.models import CAVGA, WeaklySupervisedCAVGA

SMALL = {"image_shape": (16, 16, 3), "filters": 4, "latent_dim": 4, "embedding_dim": 8, "seed": 0}
NO_WEIGHT = dict.fromkeys(("reconstruction_weight", "kl_weight", "adversarial_weight"), 0.0)
LABELS = np.array([0, 1, 0, 0, 1, 0, 0, 0])


def make(model_class=CAVGA, **options):
    model = model_class(**{**SMALL, **options})
    model.compile(keras.optimizers.SGD(0.1), keras.optimizers.SGD(0.1), run_eagerly=True)
    return model


def contents(model):
    parts = {name: getattr(model, name, None) for name in ("encoder", "decoder", "classifier")}
    return {
        f"{part}/{weight.path}": weight.numpy()
        for part, network in parts.items()
        if network is not None
        for weight in network.trainable_weights
    }


def moved_kernels(model, *batch):
    before = contents(model)
    model.train_on_batch(*batch)
    now = contents(model)
    return {
        name.removesuffix("/kernel")
        for name in now
        if name.endswith("kernel") and not np.array_equal(now[name], before[name])
    }


ENCODER = {"encoder/conv_1", "encoder/conv_2"}  # 16 px are halved twice
DECODER = {"decoder/widen", "decoder/conv_0", "decoder/conv_1"}


def test_attention_loss_is_what_the_attention_map_leaves_out(images):
    model = make()
    logs = model.test_on_batch(images, return_dict=True)
    attention = np.asarray(model.tensors(images)["attention_map"])
    assert logs["attention_loss"] == pytest.approx(1.0 - attention.mean(), rel=1e-5)


def test_loss_is_the_weighted_sum_of_all_terms(images):
    model = make(attention_weight=0.3, adversarial_weight=0.5, kl_weight=1.0, kl_warmup_steps=0)
    logs = model.train_on_batch(images, return_dict=True)
    encoder = logs["reconstruction_loss"] + logs["kl_loss"] + 0.3 * logs["attention_loss"]
    assert logs["encoder_loss"] == pytest.approx(encoder, rel=1e-5)
    assert logs["loss"] == pytest.approx(encoder + 0.5 * logs["adversarial_loss"], rel=1e-5)


@pytest.mark.parametrize("latent", ["conv", "dense"])
def test_attention_loss_moves_encoder_and_latent_mean_alone(images, latent):
    model = make(**NO_WEIGHT, latent=latent)
    assert moved_kernels(model, images) == ENCODER | {"encoder/z_mean"}


def test_attention_grows_when_it_is_all_that_counts(images):
    model = make(**NO_WEIGHT, attention_weight=1.0)
    model.optimizer.learning_rate = 0.3
    first = model.train_on_batch(images, return_dict=True)["attention_loss"]
    for _ in range(8):
        model.reset_metrics()
        last = model.train_on_batch(images, return_dict=True)["attention_loss"]
    assert last < first - 0.03


def test_weights_are_those_of_the_paper():
    model = CAVGA(**SMALL)
    assert (model.reconstruction_weight, model.adversarial_weight) == (1.0, 1.0)
    assert model.attention_weight == 0.01
    weak = WeaklySupervisedCAVGA(**SMALL)
    assert (weak.reconstruction_weight, weak.adversarial_weight) == (1.0, 1.0)
    assert (weak.classification_weight, weak.guidance_weight) == (0.001, 0.01)


def test_resnet_has_the_same_tensors_and_every_kernel_of_it_learns(images):
    model = make(encoder_type="resnet18")
    plain = make()
    assert set(model.tensors(images[:2])) == set(plain.tensors(images[:2]))
    before = contents(model)
    model.train_on_batch(images[:4])
    now = contents(model)
    still = {name for name in now if np.array_equal(now[name], before[name])}
    assert {name for name in still if name.endswith("kernel")} == set()


def test_attention_of_a_resnet_may_be_that_of_an_earlier_halving(images):
    model = make(encoder_type="resnet18", attention_layer=1)
    assert model.tensors(images[:2])["attention_map"].shape == (2, 8, 8, 1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"encoder_type": "vgg"}, "`encoder_type` must be one of 'dcgan', 'resnet18'"),
        ({"encoder_weights": "r.pth"}, "`encoder_weights` are those of a ResNet-18"),
        ({"attention_weight": -1.0}, "`attention_weight` must be at least 0"),
        ({"adacos": "weak"}, "`adacos` must be one of"),
        (
            {"encoder_type": "resnet18", "encoder_weights": "nowhere.pth"},
            "nowhere.pth",
        ),
    ],
)
def test_wrong_arguments_are_named(options, message):
    with pytest.raises(InputError, match=message):
        CAVGA(**{**SMALL, **options})


def test_labels_say_which_images_are_defective(images):
    with pytest.raises(InputError, match="learns from labels, but `fit` was given none"):
        make(WeaklySupervisedCAVGA).train_on_batch(images)


def test_without_labels_evaluation_takes_all_images_for_good(images):
    model = make(WeaklySupervisedCAVGA)
    plain = model.test_on_batch(images, return_dict=True)
    labelled = model.test_on_batch(images, np.zeros(8), return_dict=True)
    assert plain == labelled


@pytest.mark.parametrize("latent", ["conv", "dense"])
def test_classification_loss_moves_encoder_and_classifier_alone(images, latent):
    model = make(
        WeaklySupervisedCAVGA,
        **NO_WEIGHT,
        latent=latent,
        adacos="none",
        guidance_weight=0.0,
        classification_weight=1.0,
    )
    moved = moved_kernels(model, images, LABELS)
    assert moved == ENCODER | {"encoder/z_mean", "encoder/z_log_var", "classifier/logits"}


def always_says(model, label):
    """Makes the classifier give every image one label."""
    layer = model.classifier.get_layer("logits")
    layer.bias.assign(np.array([-1e3, 1e3] if label else [1e3, -1e3], "float32"))


def test_guidance_moves_encoder_and_classifier_by_images_that_are_normal_and_taken_for_it(images):
    options = {**NO_WEIGHT, "adacos": "none", "classification_weight": 0.0, "guidance_weight": 1.0}
    model = make(WeaklySupervisedCAVGA, **options)
    always_says(model, 0)
    expected = ENCODER | {"encoder/z_mean", "classifier/logits"}
    assert moved_kernels(model, images, LABELS) == expected

    always_says(model, 1)  # every normal image is taken for a defective one
    assert moved_kernels(model, images, LABELS) == set()

    always_says(model, 0)
    assert moved_kernels(model, images, np.ones(8)) == set()  # no image is normal


def test_guidance_loss_is_that_of_the_class_attention(images):
    model = make(WeaklySupervisedCAVGA)
    always_says(model, 0)
    logs = model.test_on_batch(images, LABELS, return_dict=True)
    attention = np.asarray(model.class_attention(model.encoder(images, training=False)))
    values = (1.0 - attention[..., 0] + attention[..., 1]).mean(axis=(1, 2))
    assert logs["guidance_loss"] == pytest.approx(values[LABELS == 0].mean(), rel=1e-5)
    tensors = model.tensors(images)
    np.testing.assert_array_equal(tensors["anomalous_attention"][..., 0], attention[..., 1])


@pytest.mark.parametrize("latent", ["conv", "dense"])
def test_defective_images_reach_neither_reconstruction_nor_prior_nor_game(images, latent):
    model = make(WeaklySupervisedCAVGA, adacos="none", latent=latent)
    spoilt = images.copy()
    spoilt[LABELS == 1] = 1.0 - spoilt[LABELS == 1]
    names = ("reconstruction_loss", "kl_loss", "adversarial_loss", "discriminator_loss")
    logs, other = (
        model.test_on_batch(batch, LABELS, return_dict=True) for batch in (images, spoilt)
    )
    good = model.test_on_batch(images[LABELS == 0], np.zeros(6), return_dict=True)
    for name in names:
        assert logs[name] == pytest.approx(other[name], rel=1e-5), name
        assert logs[name] == pytest.approx(good[name], rel=1e-5), name
    assert logs["classification_loss"] != pytest.approx(other["classification_loss"], rel=1e-3)


def test_weak_adacos_teaches_the_discriminator_what_is_defective(images):
    model = make(WeaklySupervisedCAVGA)
    before = model.adacos_classes.adacos.kernel.numpy()
    model.train_on_batch(images, LABELS)
    assert not np.array_equal(before, model.adacos_classes.adacos.kernel.numpy())
    assert model.tensors(images)["class_logits"].shape == (8, 4, 4, 2)


def test_padded_images_train_too(images):
    valid = np.ones((8, 16, 16, 1), "float32")
    valid[:, :, 9:] = 0.0
    x = {"images": images, "valid": valid}
    logs = make(WeaklySupervisedCAVGA).train_on_batch(x, LABELS, return_dict=True)
    assert all(np.isfinite(value) for value in logs.values())


@pytest.mark.parametrize(
    ("model_class", "options"),
    [
        (CAVGA, {}),
        # The one that is traced.
        pytest.param(WeaklySupervisedCAVGA, {"latent": "dense"}, marks=pytest.mark.slow),
        (WeaklySupervisedCAVGA, {"dtype": "mixed_float16"}),
    ],
)
def test_fit_save_and_load(model_class, options, images, tmp_path):
    model = model_class(**{**SMALL, **options})
    model.compile(run_eagerly="latent" not in options)
    labels = (LABELS,) if model_class is WeaklySupervisedCAVGA else ()
    history = model.fit(images, *labels, batch_size=4, epochs=1, verbose=0).history
    assert set(model_class.auxiliary_loss_names) <= set(history)
    assert np.all(np.isfinite(list(history.values())))
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    np.testing.assert_array_equal(model(images), again(images))
    assert again.get_config() == model.get_config()
    assert int(again.optimizer.iterations) == int(model.optimizer.iterations) == 2


def test_a_detector_takes_the_attention_of_the_anomalous_class_as_an_expert(images):
    detector = kerasad.AnomalyDetector(WeaklySupervisedCAVGA(**SMALL))
    names = [expert.name for expert in detector.experts]
    assert "anomalous_attention" in names
    assert "defect_logit" in names
    plain = kerasad.AnomalyDetector(CAVGA(**SMALL))
    assert "anomalous_attention" not in [expert.name for expert in plain.experts]
