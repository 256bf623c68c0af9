import keras
import numpy as np
import pytest
from skimage.metrics import structural_similarity as scikit_image_similarity

from kerasad import InputError
from kerasad.losses import ReconstructionLoss, binary_cross_entropy, structural_similarity


def random_images(shape=(2, 24, 31, 3), seed=0):
    return np.random.default_rng(seed).random(shape).astype("float32")


def similar_images():
    """Images, and the same with noise and a change of brightness."""
    images = random_images()
    changed = np.clip(0.8 * images + 0.1 * random_images(seed=1) + 0.05, 0, 1)
    return images, changed.astype("float32")


def valid_pixels(images, rows, columns):
    valid = np.zeros((*images.shape[:3], 1), "float32")
    valid[:, :rows, :columns] = 1.0
    return valid


def test_cross_entropy_by_hand():
    images = np.array([0.0, 1.0, 0.25, 0.5], "float32").reshape(2, 1, 2, 1)
    reconstruction = np.array([0.2, 0.9, 0.5, 0.75], "float32").reshape(2, 1, 2, 1)
    expected = [
        (-np.log(0.8) - np.log(0.9)) / 2,
        (np.log(2.0) - 0.5 * np.log(0.75) - 0.5 * np.log(0.25)) / 2,
    ]
    np.testing.assert_allclose(binary_cross_entropy(images, reconstruction), expected, rtol=1e-5)


def test_cross_entropy_is_smallest_at_the_image_where_it_is_the_entropy():
    images = np.full((1, 4, 4, 1), 0.3, "float32")
    entropy = -0.3 * np.log(0.3) - 0.7 * np.log(0.7)
    losses = [float(binary_cross_entropy(images, images + shift)[0]) for shift in (-0.1, 0, 0.1)]
    assert losses[1] == pytest.approx(entropy, rel=1e-5)
    assert min(losses) == losses[1]


def test_cross_entropy_of_a_wrong_certainty_is_finite():
    images = np.array([0.0, 1.0], "float32").reshape(1, 1, 2, 1)
    loss = float(binary_cross_entropy(images, 1.0 - images)[0])
    assert loss == pytest.approx(-np.log(1e-6), rel=0.01)


def test_pixels_of_weight_zero_count_nowhere_in_the_cross_entropy():
    images, reconstruction = similar_images()
    valid = valid_pixels(images, 10, 7)
    expected = binary_cross_entropy(images[:, :10, :7], reconstruction[:, :10, :7])
    images[:, 10:], reconstruction[:, :, 7:] = 0.0, 1.0
    np.testing.assert_allclose(
        binary_cross_entropy(images, reconstruction, valid), expected, rtol=1e-5
    )


def test_an_image_without_valid_pixels_costs_nothing():
    images, reconstruction = similar_images()
    loss = ReconstructionLoss(ssim_weight=1.0).call(
        images, reconstruction, valid_pixels(images, 0, 0)
    )
    np.testing.assert_array_equal(loss, 0.0)


@pytest.mark.parametrize("channel", [0, 2])
def test_similarity_agrees_with_scikit_image_inside(channel):
    images, reconstruction = similar_images()
    _, expected = scikit_image_similarity(
        images[1, :, :, channel].astype("float64"),
        reconstruction[1, :, :, channel].astype("float64"),
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        data_range=1.0,
        full=True,
    )
    found = np.asarray(structural_similarity(images, reconstruction))[1, :, :, channel]
    np.testing.assert_allclose(found[5:-5, 5:-5], expected[5:-5, 5:-5], atol=1e-4)


@pytest.mark.parametrize("window", [3, 7])
def test_similarity_agrees_with_a_naive_loop(window):
    x, y = (np.asarray(value[0, :9, :8, 0], "float64") for value in similar_images())
    half = window // 2
    offsets = np.arange(window) - half
    weights = np.exp(-0.5 * (offsets[:, None] ** 2 + offsets[None] ** 2) / 1.5**2)
    weights /= weights.sum()
    padded_x, padded_y = (np.pad(value, half, mode="symmetric") for value in (x, y))
    expected = np.zeros((9, 8))
    for i in range(9):
        for j in range(8):
            a = padded_x[i : i + window, j : j + window]
            b = padded_y[i : i + window, j : j + window]
            mean_a, mean_b = (weights * a).sum(), (weights * b).sum()
            covariance = (weights * (a - mean_a) * (b - mean_b)).sum()
            variance = (weights * ((a - mean_a) ** 2 + (b - mean_b) ** 2)).sum()
            luminance = (2 * mean_a * mean_b + 1e-4) / (mean_a**2 + mean_b**2 + 1e-4)
            expected[i, j] = luminance * (2 * covariance + 9e-4) / (variance + 9e-4)
    images = (value[None, :, :, None].astype("float32") for value in (x, y))
    found = np.asarray(structural_similarity(*images, window_size=window))[0, :, :, 0]
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_similarity_is_one_for_equal_images_and_symmetric():
    images, reconstruction = similar_images()
    np.testing.assert_allclose(structural_similarity(images, images), 1.0, atol=1e-5)
    np.testing.assert_allclose(
        structural_similarity(images, reconstruction),
        structural_similarity(reconstruction, images),
        atol=1e-6,
    )


def test_similarity_of_inverted_structure_is_negative():
    images = random_images()
    assert float(np.mean(structural_similarity(images, 1.0 - images))) < -0.5


def test_similarity_of_equal_flat_images_is_one_at_any_brightness():
    for value in (0.0, 0.003, 0.5, 1.0):
        flat = np.full((1, 12, 12, 3), value, "float32")
        np.testing.assert_allclose(structural_similarity(flat, flat), 1.0, atol=1e-5)


def test_pixels_of_weight_zero_do_not_reach_into_the_windows_of_others():
    images, reconstruction = similar_images()
    valid = valid_pixels(images, 14, 20)
    before = structural_similarity(images, reconstruction, weights=valid)
    images[:, 14:], reconstruction[:, :, 20:] = 0.0, 1.0
    after = structural_similarity(images, reconstruction, weights=valid)
    np.testing.assert_allclose(after[:, :14, :20], before[:, :14, :20], atol=1e-6)
    whole = structural_similarity(images, reconstruction)
    np.testing.assert_allclose(after[:, :9, :15], whole[:, :9, :15], atol=1e-5)


def test_weights_of_one_change_nothing():
    images, reconstruction = similar_images()
    loss, ones = ReconstructionLoss(0.5), np.ones((*images.shape[:3], 1), "float32")
    np.testing.assert_allclose(
        loss.call(images, reconstruction, ones), loss.call(images, reconstruction), rtol=1e-5
    )


def test_loss_adds_the_weighted_dissimilarity():
    images, reconstruction = similar_images()
    entropy = np.asarray(binary_cross_entropy(images, reconstruction))
    dissimilarity = (1 - np.asarray(structural_similarity(images, reconstruction))) / 2
    expected = entropy + 0.3 * dissimilarity.mean(axis=(1, 2, 3))
    found = ReconstructionLoss(0.3).call(images, reconstruction)
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_loss_reduces_to_the_mean_over_images():
    images, reconstruction = similar_images()
    loss = ReconstructionLoss(0.5)
    mean = np.mean(loss.call(images, reconstruction))
    assert float(loss(images, reconstruction)) == pytest.approx(float(mean), rel=1e-6)


def test_loss_reloads_from_its_config():
    loss = ReconstructionLoss(ssim_weight=0.25, name="other")
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(loss))
    assert isinstance(again, ReconstructionLoss)
    assert again.get_config() == loss.get_config()


def test_half_precision_reconstruction_is_compared_in_float32():
    images, reconstruction = similar_images()
    half = reconstruction.astype("float16")
    loss = ReconstructionLoss(0.5).call(images, half)
    assert loss.dtype == "float32"
    np.testing.assert_allclose(loss, ReconstructionLoss(0.5).call(images, half.astype("float32")))


def test_a_negative_share_of_dissimilarity_is_refused():
    with pytest.raises(InputError, match=r"`ssim_weight`.*-0\.5"):
        ReconstructionLoss(ssim_weight=-0.5)
