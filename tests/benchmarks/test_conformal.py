from types import SimpleNamespace

import numpy as np


class Detector:
    decision = SimpleNamespace(stored_scores=lambda: np.array([5.0, 4.0], "float32"))

    def predict_stream(self, dataset, verbose, title):
        for scores, labels in dataset:
            yield {"anomaly_score": np.array(scores, "float32")}, None, {"label": labels}


def test_real_scores_are_those_that_calibrated_and_of_the_good_test_images(load):
    test = [([1.0, 9.0], [0, 1]), ([2.0], [0])]
    scores = load("conformal").pool_scores(Detector(), test)
    assert scores.tolist() == [5.0, 4.0, 1.0, 2.0]
