import numpy as np
import pytest

from kerasad.report.latents import MEAN, PEAK, VectorReader, embed


def test_vectors_of_large_images_come_from_around_the_peak(detector):
    reader = VectorReader(detector.model)
    images = np.zeros((1, 100, 120, 3), "float32")
    images[:, 60:, 70:] = 1.0
    anomaly_map = np.zeros((1, 100, 120, 1), "float32")
    anomaly_map[0, 90, 110] = 1.0
    np.testing.assert_allclose(reader.read(images, anomaly_map)[MEAN], 1.0)
    anomaly_map[0, 5, 5] = 2.0
    np.testing.assert_allclose(reader.read(images, anomaly_map)[MEAN], 0.0)


@pytest.mark.parametrize(
    ("tensor", "meaning"), [("z_mean", "Latent means"), ("features", "Features")]
)
def test_a_model_without_a_latent_is_shown_by_its_features(make_detector, tensor, meaning):
    reader = VectorReader(make_detector(tensor).model)
    assert reader.meaning.startswith(meaning)
    images = np.full((2, 32, 48, 3), 0.25, "float32")
    np.testing.assert_allclose(reader.read(images)[MEAN], np.full((2, 3), 0.25))


def test_a_model_with_neither_has_no_vectors(make_detector):
    assert VectorReader(make_detector("other").model).meaning is None


def test_batches_are_read_until_there_are_enough_images(detector, category):
    reader = VectorReader(detector.model)
    assert len(reader.read_dataset(category.train, 3)) == 3
    assert len(reader.read_dataset(category.train, 5)) == 5
    assert len(reader.read_dataset(category.train, 50)) == 8


def test_the_code_at_the_peak_tells_what_an_average_hides(detector):
    reader = VectorReader(detector.model)
    images = np.zeros((2, 32, 48, 3), "float32")
    images[0, :, :24] = 0.8
    images[1, :, 24:] = 0.8
    maps = images[..., :1] + 0.0
    codes = reader.read(images, maps)
    np.testing.assert_allclose(codes[MEAN], 0.4, rtol=1e-5)
    np.testing.assert_allclose(codes[PEAK], 0.8, rtol=1e-5)
    # The darker half of the second image, if the map says so.
    maps[1] = 1.0 - maps[1]
    np.testing.assert_allclose(reader.read(images, maps)[PEAK][1], 0.0, atol=1e-6)


def test_the_embedding_separates_what_is_separate():
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(40, 6))
    vectors[20:] += 50.0
    points = embed(vectors)
    centers = points[:20].mean(axis=0), points[20:].mean(axis=0)
    radius = max(np.linalg.norm(points[:20] - centers[0], axis=1).max(), 1e-6)
    assert np.linalg.norm(centers[0] - centers[1]) > radius


@pytest.mark.parametrize("vectors", [np.ones((6, 4)), np.arange(10.0).reshape(10, 1)])
def test_degenerate_vectors_still_embed(vectors):
    assert np.all(np.isfinite(embed(vectors)))


def test_too_few_points_have_no_embedding():
    assert embed(np.zeros((4, 2))) is None
