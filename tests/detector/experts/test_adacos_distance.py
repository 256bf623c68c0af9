import numpy as np

from kerasad.detector.experts import DefectLogit, EmbeddingResidual, PrototypeDistance


def cells(*rows):
    """Cells of one image, side by side."""
    return np.array([[rows]], "float32")


def test_distance_to_the_nearest_prototype_by_hand():
    prototypes = np.array([[1.0, 0.0], [0.6, 0.8]], "float32")
    embedding = cells([5.0, 0.0], [0.0, 2.0], [-1.0, 0.0])
    result = PrototypeDistance()({"embedding": embedding, "prototypes": prototypes})
    # Cosines with the nearer one: 1, .8 and -.6.
    np.testing.assert_allclose(np.asarray(result), cells([0.0], [0.2], [1.6]), atol=1e-6)


def test_length_of_an_embedding_does_not_matter_and_zero_is_finite():
    prototypes = np.array([[1.0, 0.0, 0.0]], "float32")
    embedding = np.random.default_rng(0).normal(size=(2, 3, 4, 3)).astype("float32")
    one, two = (
        np.asarray(PrototypeDistance()({"embedding": e, "prototypes": prototypes}))
        for e in (embedding, 100 * embedding)
    )
    assert one.shape == (2, 3, 4, 1)
    np.testing.assert_allclose(one, two, atol=1e-6)
    nothing = PrototypeDistance()({"embedding": cells([0.0] * 3), "prototypes": prototypes})
    np.testing.assert_allclose(np.asarray(nothing), 1.0)


def test_defect_logit_is_the_log_odds_of_all_classes_but_the_first():
    logits = cells([0.0, 1.0, 2.0], [3.0, -1.0, 0.5])
    result = np.asarray(DefectLogit()({"class_logits": logits}))
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
    good = probabilities[..., :1]
    np.testing.assert_allclose(result, np.log((1 - good) / good), rtol=1e-5)


def test_defect_logit_of_huge_logits_does_not_overflow():
    result = DefectLogit()({"class_logits": cells([-500.0, 500.0, 499.0])})
    np.testing.assert_allclose(np.asarray(result), 1000 + np.log1p(np.exp(-1.0)), rtol=1e-6)


def test_embedding_residual_by_hand():
    tensors = {
        "embedding": cells([3.0, 4.0], [1.0, 0.0], [1.0, 0.0]),
        "reconstruction_embedding": cells([6.0, 8.0], [0.0, 2.0], [-3.0, 0.0]),
    }
    result = EmbeddingResidual()(tensors)
    np.testing.assert_allclose(np.asarray(result), cells([0.0], [1.0], [2.0]), atol=1e-6)
