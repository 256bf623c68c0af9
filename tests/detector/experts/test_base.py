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


@pytest.mark.parametrize("cls", CLASSES)
def test_an_expert_starts_with_a_stream_of_its_own(cls):
    expert = cls()
    expert.build({name: SHAPES[name] for name in expert.requires})
    expert.start(0, stream=1)


def test_a_missing_tensor_makes_an_expert_unavailable():
    assert PixelResidual().available(SHAPES)
    assert not PixelResidual().available({"images": (None, 4, 4, 3)})
