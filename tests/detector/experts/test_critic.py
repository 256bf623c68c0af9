import numpy as np

from kerasad.detector.experts import Critic


def test_its_map_is_larger_where_the_discriminator_is_surer_of_a_defect():
    logits = np.array([[[[3.0], [-1.5]]]], "float32")
    np.testing.assert_array_equal(Critic()({"discriminator_logits": logits}), -logits)
