import keras
import numpy as np
import pytest
import tensorflow as tf

from kerasad import InputError
from kerasad.errors import TrainingDivergedError
from kerasad.models.vae_gan import HEALTH_NAMES, SUMS, TERMS

LOSS_NAMES = (*TERMS, *SUMS)

PARTS = ("encoder", "decoder", "discriminator", "adacos_classes")
WEIGHTS = ("reconstruction_weight", "kl_weight", "adversarial_weight", "adacos_weight")
SGD = keras.optimizers.SGD


def compiled(model, rates=(1e-3, 1e-3), optimizer=keras.optimizers.Adam):
    """The model in eager mode, which spares the tracing of the graph."""
    model.compile(*(optimizer(rate) for rate in rates), run_eagerly=True)
    return model


def step(model, images):
    return model.train_on_batch(images, return_dict=True)


def recorded_gradients(model, images):
    """One step; returns the largest gradient of each variable by name, for each player."""
    names = {id(variable): name for name, variable in named_weights(model).items()}
    records = []
    for optimizer in (model.optimizer, model.discriminator_optimizer):
        record, apply = {}, optimizer.apply

        def spy(gradients, variables, record=record, apply=apply):
            for gradient, variable in zip(gradients, variables, strict=True):
                record[names[id(variable)]] = float(np.abs(gradient).max())
            apply(gradients, variables)

        optimizer.apply = spy
        records.append(record)
    step(model, images)
    return records


def named_weights(model):
    """All weights by the name of their network and their path in it."""
    parts = {name: getattr(model, name) for name in PARTS}
    return {
        f"{name}/{weight.path}": weight
        for name, part in parts.items()
        for weight in (part.weights if part is not None else [])
    }


def contents(model):
    return {name: weight.numpy().copy() for name, weight in named_weights(model).items()}


def moved(model, before):
    now = contents(model)
    return {name for name, value in now.items() if not np.array_equal(value, before[name])}


def test_fit_logs_every_term_by_name(trained):
    _, history = trained
    names = {*LOSS_NAMES, *HEALTH_NAMES}
    assert set(history) == names | {f"val_{name}" for name in names}
    assert all(len(values) == 2 and np.all(np.isfinite(values)) for values in history.values())


def test_evaluate_agrees_with_validation_in_fit(trained, images):
    model, history = trained
    logs = model.evaluate(images[:4], verbose=0, return_dict=True)
    for name, value in logs.items():
        assert value == pytest.approx(history[f"val_{name}"][-1], rel=1e-4), name


def test_evaluate_and_predict_move_nothing(trained, images):
    model, _ = trained
    before = contents(model)
    model.evaluate(images[:4], verbose=0)
    model.predict(images[:4], verbose=0)
    assert moved(model, before) == set()


# The latent is the generator's affair, and the classes are the discriminator's.
@pytest.mark.parametrize(
    ("adacos", "latent"),
    [("pretext", "conv"), ("cluster", "dense"), ("instance", "conv"), ("none", "dense")],
)
def test_one_step_reaches_every_kernel_of_its_own_player(make_model, images, adacos, latent):
    model = compiled(make_model(adacos=adacos, latent=latent))
    generator, discriminator = recorded_gradients(model, images)
    assert {name.split("/")[0] for name in generator} == {"encoder", "decoder"}
    assert {name.split("/")[0] for name in discriminator} <= {"discriminator", "adacos_classes"}
    assert len(generator) + len(discriminator) == len(model.trainable_variables)
    without_term = {"embedding", "embedding_hidden"} if adacos == "none" else set()
    for name, gradient in {**generator, **discriminator}.items():
        if name.endswith("kernel"):
            assert (gradient > 0) == (name.split("/")[-2] not in without_term), name


def test_loss_is_the_weighted_sum_of_its_terms(make_model, images):
    weights = dict(zip(WEIGHTS, (0.7, 3.0, 0.2, 0.4), strict=True))
    model = compiled(make_model(kl_warmup_steps=2, **weights))
    for iteration in range(4):
        logs = step(model, images)
        likelihood = 0.7 * logs["reconstruction_loss"]
        prior = 3.0 * min(iteration / 2, 1.0) * logs["kl_loss"]
        game = 0.2 * logs["adversarial_loss"] + 0.4 * logs["adacos_loss"]
        assert logs["loss"] == pytest.approx(likelihood + prior + game, rel=1e-5)
        assert logs["encoder_loss"] == pytest.approx(likelihood + prior, rel=1e-5)
        assert logs["decoder_loss"] == pytest.approx(likelihood + game, rel=1e-5)
        assert logs["adversarial_loss"] > 0
        assert logs["adacos_loss"] > 0
        model.reset_metrics()


def test_without_warmup_the_prior_counts_from_the_first_step(make_model, images):
    model = compiled(
        make_model(kl_weight=1, kl_warmup_steps=0, adacos="none", adversarial_weight=0)
    )
    logs = step(model, images)
    assert logs["loss"] == pytest.approx(logs["reconstruction_loss"] + logs["kl_loss"], rel=1e-5)


def test_kl_is_counted_in_nats_per_pixel_value(make_model, images):
    model = compiled(make_model())
    logs = model.test_on_batch(images, return_dict=True)
    encoded = model.encoder(images)
    mean, log_var = (np.asarray(encoded[name], "float64") for name in ("z_mean", "z_log_var"))
    nats = 0.5 * (mean**2 + np.exp(log_var) - 1 - log_var)
    assert logs["kl_loss"] == pytest.approx(nats.sum() / images.size, rel=1e-5)


def test_without_a_game_the_discriminator_does_not_move(make_model, images):
    model = compiled(make_model(adversarial_weight=0, adacos="none"))
    before = contents(model)
    logs = step(model, images)
    assert not any(name.startswith("discriminator") for name in moved(model, before))
    assert logs["discriminator_loss"] == logs["adversarial_loss"] == logs["adacos_loss"] == 0
    assert int(model.discriminator_optimizer.iterations) == 0


def test_without_adacos_weight_embedding_centers_and_scale_do_not_move(make_model, images):
    model = compiled(make_model(adacos_weight=0))
    before = contents(model)
    step(model, images)
    still = {name for name in before if "embedding" in name or "adacos_classes" in name}
    assert len(still) == 2 + 2
    assert still & moved(model, before) == set()


def test_without_adversarial_weight_the_logits_learn_nothing(make_model, images):
    model = compiled(make_model(adversarial_weight=0))
    _, gradients = recorded_gradients(model, images)
    logits = {name: value for name, value in gradients.items() if "/logits/" in name}
    assert list(logits.values()) == [0.0, 0.0]
    assert all(value > 0 for name, value in gradients.items() if "conv_1/kernel" in name)


def test_with_the_prior_alone_only_the_encoder_moves(make_model, images):
    model = compiled(
        make_model(reconstruction_weight=0, adversarial_weight=0, adacos="none", kl_warmup_steps=0),
    )
    generator, _ = recorded_gradients(model, images)
    assert all(value == 0 for name, value in generator.items() if name.startswith("decoder"))
    assert generator["encoder/z_mean/kernel"] > 0
    assert generator["encoder/conv_1/kernel"] > 0


def test_with_no_weight_at_all_nothing_moves(make_model, images):
    model = compiled(make_model(adacos="none", **dict.fromkeys(WEIGHTS, 0)))
    generator, discriminator = recorded_gradients(model, images)
    assert set(generator.values()) == {0.0}
    assert discriminator == {}


def test_the_generator_does_not_move_the_discriminator(make_model, images):
    model = compiled(make_model(), rates=(0.1, 0.0), optimizer=SGD)
    before = contents(model)
    step(model, images)
    for name in moved(model, before):
        if name.startswith(("discriminator", "adacos_classes")):
            assert name.endswith("scale"), name


def test_the_discriminator_does_not_move_the_generator(make_model, images):
    model = compiled(make_model(), rates=(0.0, 0.1), optimizer=SGD)
    before = contents(model)
    step(model, images)
    generator = {name for name in moved(model, before) if name.startswith(("encoder", "decoder"))}
    assert all("moving_" in name for name in generator)


def test_a_seed_makes_two_fits_identical(make_model, images):
    models = []
    for global_seed in (1, 2):
        keras.utils.set_random_seed(global_seed)
        model = compiled(make_model(adacos="cluster", seed=5))
        model.fit(images, batch_size=8, shuffle=False, verbose=0)
        models.append(model)
    for weight, same in zip(models[0].weights, models[1].weights, strict=True):
        np.testing.assert_array_equal(weight.numpy(), same.numpy(), err_msg=weight.path)


@pytest.mark.parametrize(
    ("policy", "adacos"), [("mixed_float16", "pretext"), ("mixed_bfloat16", "cluster")]
)
def test_mixed_precision_trains_float32_weights(make_model, images, policy, adacos):
    model = compiled(make_model(dtype=policy, adacos=adacos))
    before = contents(model)
    # Until the loss scale fits, float16 skips steps.
    for _ in range(5 if policy == "mixed_float16" else 1):
        logs = step(model, images)
    assert all(np.isfinite(value) for value in logs.values())
    assert {variable.dtype for variable in model.trainable_variables} == {"float32"}
    kernels = {name for name in before if name.endswith("kernel")}
    assert kernels <= moved(model, before)
    assert model.encoder.get_layer("conv_1").compute_dtype == policy.removeprefix("mixed_")
    assert model(images).dtype == "float32"
    assert {value.dtype.name for value in model.tensors(images).values()} == {"float32"}


def test_mixed_precision_is_close_to_full(make_model, images):
    full = compiled(make_model()).test_on_batch(images, return_dict=True)
    mixed = compiled(make_model(dtype="mixed_bfloat16")).test_on_batch(images, return_dict=True)
    for name in LOSS_NAMES:
        assert mixed[name] == pytest.approx(full[name], rel=0.03, abs=1e-3), name


def padded_inputs(images, filler, columns=10):
    valid = np.ones((*images.shape[:3], 1), "float32")
    valid[:, :, columns:] = 0.0
    padded = images.copy()
    padded[:, :, columns:] = filler
    return {"images": padded, "valid": valid}


def test_pixels_in_the_padding_do_not_reach_the_reconstruction_loss(make_model, images):
    model = compiled(make_model())
    for variable in model.encoder.trainable_variables:
        # What the encoder sees would reach all pixels by way of the reconstruction.
        variable.assign(keras.ops.zeros_like(variable))
    found = [
        model.test_on_batch(padded_inputs(images, filler), return_dict=True)["reconstruction_loss"]
        for filler in (0.0, 1.0)
    ]
    assert found[0] == pytest.approx(found[1], rel=1e-6)
    plain = model.test_on_batch(padded_inputs(images, 0.0)["images"], return_dict=True)
    assert found[0] != pytest.approx(plain["reconstruction_loss"], rel=1e-3)


def test_images_without_padding_may_say_so(make_model, images):
    model = compiled(make_model())
    inputs = {"images": images, "valid": np.ones((*images.shape[:3], 1), "float32")}
    whole, plain = (model.test_on_batch(x, return_dict=True) for x in (inputs, images))
    for name, value in plain.items():
        assert whole[name] == pytest.approx(value, rel=1e-5), name


@pytest.mark.parametrize("adacos", ["pretext", "instance"])
def test_padded_images_train(make_model, images, adacos):
    logs = step(compiled(make_model(adacos=adacos)), padded_inputs(images, 0.5))
    assert all(np.isfinite(value) for value in logs.values())


def test_fit_reads_a_dataset_of_padded_images(make_model, images):
    model = compiled(make_model(adacos="cluster"))
    dataset = tf.data.Dataset.from_tensor_slices(padded_inputs(images, 0.5))
    history = model.fit(dataset.batch(5), validation_data=dataset.batch(8), verbose=0).history
    assert all(np.isfinite(values[0]) for values in history.values())


def test_training_brings_the_reconstruction_nearer(make_model, images):
    model = compiled(make_model(adacos="none", adversarial_weight=0), rates=(0.03, 0.03))
    losses = model.fit(images, batch_size=8, epochs=5, verbose=0).history["reconstruction_loss"]
    assert losses[-1] < 0.95 * losses[0]


@pytest.mark.parametrize("adacos", ["pretext", "instance"])
def test_a_batch_of_one_image_trains(make_model, images, adacos):
    logs = step(compiled(make_model(adacos=adacos)), images[:1])
    assert all(np.isfinite(value) for value in logs.values())


def test_nan_in_the_images_stops_fit_by_the_names_of_the_terms(make_model, images):
    broken = images[:4].copy()
    broken[2, 3, 4, 1] = np.nan
    with pytest.raises(TrainingDivergedError, match=r"step 1: .*`reconstruction_loss` became nan"):
        compiled(make_model()).fit(broken, batch_size=4, shuffle=False, verbose=0)


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_pixels_of_0_to_255_are_refused_in_one_sentence(make_model, images, dtype):
    model = compiled(make_model())
    with pytest.raises(InputError, match=r"^Images must be .*in \[0, 1\].*255"):
        model.fit((255 * images).astype(dtype), batch_size=8, verbose=0)
    assert int(model.optimizer.iterations) == 0
