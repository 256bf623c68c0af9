import numpy as np
import pytest

from kerasad.detector.experts import (
    default_experts,
    feature_experts,
    feature_memory_experts,
    feature_statistics_experts,
    model_experts,
    patch_gaussian_experts,
)

SHAPES = {
    "images": (None, 16, 16, 3),
    "reconstruction": (None, 16, 16, 3),
    "z_mean": (None, 4, 4, 5),
    "z_log_var": (None, 4, 4, 5),
    "encoder_features": (None, 8, 8, 6),
    "discriminator_features": (None, 8, 8, 6),
    "reconstruction_discriminator_features": (None, 8, 8, 6),
    "embedding": (None, 8, 8, 7),
    "reconstruction_embedding": (None, 8, 8, 7),
    "attention_map": (None, 4, 4, 1),
    "prototypes": (3, 7),
    "class_logits": (None, 8, 8, 4),
}
FEATURES = {
    "features": (None, 8, 12, 7),
    "tap_1": (None, 16, 24, 2),
    "tap_2": (None, 8, 12, 2),
    "tap_3": (None, 4, 6, 3),
    **{f"features_{k}": (None, 8, 12, 2) for k in (1, 2, 3)},
}
RESTORED = {
    "z_mean": (None, 4, 6, 5),
    "discriminator_logits": (None, 8, 12, 1),
    "class_logits": (None, 8, 12, 2),
    "restored_angles": (None, 8, 12, 3),
}


STATISTICS = ["patch_gaussian", "feature_memory", "feature_gaussian_1", "feature_gaussian_2"]


def names_of(experts):
    return [expert.name for expert in experts]


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


def test_features_that_nothing_restores_are_modelled_by_gaussians_and_a_memory():
    experts = default_experts(FEATURES, position_free=True)
    assert names_of(experts) == STATISTICS
    assert all(expert.position_free for expert in experts)
    other = {**FEATURES, "images": (None, 64, 96, 3), "reconstruction": (None, 64, 96, 3)}
    assert names_of(default_experts(other))[len(STATISTICS) :] == [
        "pixel_residual",
        "ssim_residual",
    ]


@pytest.mark.parametrize("shapes", [FEATURES, {**FEATURES, **RESTORED}])
def test_each_list_of_feature_experts_has_the_same_experts_as_those_it_is_made_of(shapes):
    gaussian, memory = patch_gaussian_experts(shapes), feature_memory_experts(shapes)
    assert names_of(gaussian) == ["patch_gaussian"]
    assert names_of(memory) == ["feature_memory"]
    both = feature_statistics_experts(shapes)
    assert [e.get_config() for e in both[:2]] == [e.get_config() for e in gaussian + memory]
    if "z_mean" in shapes:
        assert names_of(feature_experts(shapes))[:4] == names_of(both)


def test_features_without_taps_are_modelled_on_their_own_grid():
    gaussian, memory = feature_statistics_experts({"features": (None, 8, 12, 7)})
    assert gaussian.pool == memory.query_stride == 1


def test_a_model_of_no_known_tensor_has_no_experts():
    assert model_experts({"something": (None, 4, 4, 2)}) == []


def test_a_model_that_restores_features_gets_experts_of_each_finer_tap_and_of_all():
    shapes = {**FEATURES, **RESTORED}
    experts = {expert.name: expert for expert in default_experts(shapes)}
    assert list(experts) == [*STATISTICS, "feature_residual", "critic", "defect_logit"]
    maps = {}
    for name, expert in experts.items():
        inputs = {
            tensor: np.ones((1, *shapes[tensor][1:]), "float32") for tensor in expert.requires
        }
        expert.build({tensor: shapes[tensor] for tensor in expert.requires})
        maps[name] = tuple(expert(inputs).shape[1:3])
    # The memory is asked on the coarsest grid; all others know each cell.
    assert maps == {
        "patch_gaussian": (8, 12),
        "feature_memory": (4, 6),
        "feature_gaussian_1": (8, 12),
        "feature_gaussian_2": (8, 12),
        "feature_residual": (8, 12),
        "critic": (8, 12),
        "defect_logit": (8, 12),
    }
    # Without the two terms nothing has learnt to say what is damaged.
    del shapes["discriminator_logits"], shapes["class_logits"]
    assert names_of(default_experts(shapes)) == [*STATISTICS, "feature_residual"]
    # Joint models of all taps are trusted alike.
    degrees = {name: expert.degrees for name, expert in experts.items()}
    assert degrees["patch_gaussian"] == degrees["feature_memory"] == 7
