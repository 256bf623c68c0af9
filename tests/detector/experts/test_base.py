import keras
import numpy as np
import pytest

from kerasad.detector.experts import (
    CellGaussian,
    CellMemory,
    DefectLogit,
    DiscriminatorResidual,
    EmbeddingResidual,
    Inattention,
    LatentKL,
    PixelResidual,
    PrototypeDistance,
    SSIMResidual,
    default_experts,
)

CLASSES = [
    *(PixelResidual, SSIMResidual, DiscriminatorResidual, LatentKL, Inattention),
    *(PrototypeDistance, DefectLogit, EmbeddingResidual, CellGaussian, CellMemory),
]
SHAPES = {
    "images": (None, 16, 16, 3),
    "reconstruction": (None, 16, 16, 3),
    "z_mean": (None, 4, 4, 5),
    "z_log_var": (None, 4, 4, 5),
    "features": (None, 8, 8, 6),
    "encoder_features": (None, 8, 8, 6),
    "discriminator_features": (None, 8, 8, 6),
    "reconstruction_discriminator_features": (None, 8, 8, 6),
    "embedding": (None, 8, 8, 7),
    "reconstruction_embedding": (None, 8, 8, 7),
    "attention_map": (None, 4, 4, 1),
    "prototypes": (3, 7),
    "class_logits": (None, 8, 8, 4),
}


def draw_tensors(expert, count=2):
    generator = np.random.default_rng(0)
    return {
        name: generator.uniform(
            size=tuple(count if side is None else side for side in SHAPES[name])
        ).astype("float32")
        for name in expert.requires
    }


@pytest.mark.parametrize("cls", CLASSES)
def test_expert_is_a_frozen_float32_layer_that_round_trips(cls):
    expert = cls(position_free=True, name="mine")
    expert.build({name: SHAPES[name] for name in expert.requires})
    assert expert.trainable_variables == []
    assert expert.compute_dtype == "float32"
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(expert))
    assert type(again) is cls
    assert again.get_config() == expert.get_config()


@pytest.mark.parametrize("cls", CLASSES)
def test_map_has_one_channel_and_no_batch_mates(cls):
    expert = cls()
    expert.build({name: SHAPES[name] for name in expert.requires})
    tensors = draw_tensors(expert, count=3)
    whole = np.asarray(expert(tensors))
    assert whole.shape[0] == 3
    assert whole.shape[-1] == 1
    single = np.asarray(expert({k: v if k == "prototypes" else v[1:2] for k, v in tensors.items()}))
    np.testing.assert_allclose(single, whole[1:2], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("cls", CLASSES)
def test_expert_stays_float32_under_mixed_precision(cls):
    keras.mixed_precision.set_global_policy("mixed_float16")
    try:
        expert = cls()
        expert.build({name: SHAPES[name] for name in expert.requires})
        result = expert(draw_tensors(expert))
    finally:
        keras.mixed_precision.set_global_policy("float32")
    assert result.dtype == "float32"


def test_a_missing_tensor_makes_an_expert_unavailable():
    assert PixelResidual.available(SHAPES)
    assert not PixelResidual.available({"images": (None, 4, 4, 3)})


def test_default_experts_have_names_of_their_own_and_only_what_they_need():
    experts = default_experts(SHAPES, position_free=True)
    names = [expert.name for expert in experts]
    assert len(set(names)) == len(names)
    assert all(expert.position_free for expert in experts)
    assert all(set(expert.requires) <= set(SHAPES) for expert in experts)


def test_default_experts_of_a_dense_code_without_adacos_leave_out_what_it_lacks():
    shapes = {name: SHAPES[name] for name in SHAPES if name not in ("prototypes", "class_logits")}
    shapes["z_mean"] = shapes["z_log_var"] = (None, 5)
    full = {expert.name for expert in default_experts(SHAPES)}
    left = {expert.name for expert in default_experts(shapes)}
    assert left < full
    assert not {"latent_kl", "latent_gaussian", "prototype_distance", "defect_logit"} & left
    assert {"pixel_residual", "encoder_gaussian"} <= left


def test_a_model_that_restores_features_gets_experts_of_each_finer_tap_and_of_all():
    shapes = {
        "features": (None, 8, 12, 7),
        "tap_1": (None, 16, 24, 2),
        "tap_2": (None, 8, 12, 2),
        "tap_3": (None, 4, 6, 3),
        "z_mean": (None, 4, 6, 5),
        **{f"features_{k}": (None, 8, 12, 2) for k in (1, 2, 3)},
        **{f"restored_features_{k}": (None, 8, 12, 2) for k in (1, 2, 3)},
        **{f"residual_features_{k}": (None, 8, 12, 2) for k in (1, 2, 3)},
    }
    experts = {expert.name: expert for expert in default_experts(shapes)}
    assert list(experts) == [
        "residual_gaussian",
        "feature_gaussian",
        "feature_memory",
        "feature_gaussian_1",
        "feature_gaussian_2",
    ]
    maps = {}
    for name, expert in experts.items():
        inputs = {
            tensor: np.ones((1, *shapes[tensor][1:]), "float32") for tensor in expert.requires
        }
        expert.build({tensor: shapes[tensor] for tensor in expert.requires})
        maps[name] = tuple(expert(inputs).shape[1:3])
    # The coarsest grid for all; the cells' for each finer one.
    assert maps == {
        "residual_gaussian": (8, 12),
        "feature_gaussian": (4, 6),
        "feature_memory": (4, 6),
        "feature_gaussian_1": (8, 12),
        "feature_gaussian_2": (8, 12),
    }
    # The tap on the grid of cells, alike at all places.
    assert experts["residual_gaussian"].tensor == "residual_features_2"
    assert experts["residual_gaussian"].mean.shape == (1, 2)
    # Joint models of all taps are trusted alike.
    degrees = {name: expert.degrees for name, expert in experts.items()}
    assert degrees["feature_gaussian"] == degrees["feature_memory"] == 7
