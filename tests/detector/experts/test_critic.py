import numpy as np

from kerasad.detector.experts import AdaCosCritic, Critic


def test_its_map_is_larger_where_the_discriminator_is_surer_of_a_defect():
    logits = np.array([[[[3.0], [-1.5]]]], "float32")
    np.testing.assert_array_equal(Critic()({"discriminator_logits": logits}), -logits)


def test_of_both_critics_the_one_with_centers_rates_images():
    logits = np.array([[[[3.0, 1.0], [0.0, 2.5]]]], "float32")
    found = AdaCosCritic()({"class_logits": logits})
    np.testing.assert_allclose(found, [[[[-2.0], [2.5]]]])
    assert AdaCosCritic().rates_images
    assert not Critic().rates_images
