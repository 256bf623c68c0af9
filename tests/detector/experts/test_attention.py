import numpy as np

from kerasad.detector.experts import Inattention


def test_what_is_not_attended_to_is_anomalous():
    attention = np.array([[[[0.0], [0.25]], [[1.0], [0.5]]]], "float32")
    result = Inattention()({"attention_map": attention})
    np.testing.assert_allclose(np.asarray(result), [[[[1.0], [0.75]], [[0.0], [0.5]]]])
