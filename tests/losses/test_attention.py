import numpy as np
import pytest

from kerasad.losses import attention_expansion_loss, complementary_guided_attention_loss


def maps(*values):
    """One 2 x 2 attention map an image."""
    return np.array(values, "float32").reshape(-1, 2, 2, 1)


def test_expansion_is_the_share_of_each_image_that_attention_leaves_out():
    attention = maps([1.0, 0.5, 0.25, 0.25], [0.0, 0.0, 0.0, 1.0])
    np.testing.assert_allclose(attention_expansion_loss(attention), [0.5, 0.75])


def test_expansion_counts_no_cell_of_weight_0():
    attention, weights = maps([1.0, 0.5, 0.25, 0.25], [0.0] * 4), maps([1, 1, 0, 0], [0] * 4)
    np.testing.assert_allclose(attention_expansion_loss(attention, weights), [0.25, 0.0])


def test_guidance_wants_all_of_an_image_to_speak_for_normal_and_none_against():
    normal, anomalous = maps([1.0, 1.0, 0.5, 0.5]), maps([0.0, 0.0, 1.0, 0.5])
    # 0, 0, 1 - .5 + 1, 1 - .5 + .5
    assert float(complementary_guided_attention_loss(normal, anomalous)[0]) == pytest.approx(
        2.5 / 4
    )
    assert complementary_guided_attention_loss(maps([1.0] * 4), maps([0.0] * 4))[0] == 0.0
    assert complementary_guided_attention_loss(maps([0.0] * 4), maps([1.0] * 4))[0] == 2.0


def test_guidance_counts_no_cell_of_weight_0():
    normal, anomalous = maps([1.0, 1.0, 0.5, 0.5]), maps([0.0, 0.0, 1.0, 0.5])
    loss = complementary_guided_attention_loss(normal, anomalous, maps([0, 0, 0, 3]))
    assert float(loss[0]) == pytest.approx(1.0)
