import numpy as np
import pytest

from kerasad.errors import InputError
from kerasad.synthetic.choosing import KINDS, ChoosingDefects
from kerasad.synthetic.textures import TEXTURES, make_texture, perlin_noise


@pytest.fixture
def images():
    """Six images of coloured bars, so that a warp can be seen, (6, 64, 80, 3)."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:64, :80]
    level = np.sin(x / 4 + rng.uniform(0, 6, (6, 1, 1))) > np.sin(y / 6)
    pixels = np.where(level[..., None], (0.7, 0.5, 0.3), (0.3, 0.35, 0.4))
    return (pixels + rng.normal(0, 0.01, pixels.shape)).clip(0, 1).astype("float32")


@pytest.mark.parametrize("kind", KINDS)
def test_every_image_gets_a_defect_and_changes_nowhere_else(images, kind):
    defective, mask = ChoosingDefects((kind,)).draw(images, seed=0)
    assert defective.dtype == mask.dtype == np.float32
    assert mask.shape == (6, 64, 80, 1)
    assert mask.any(axis=(1, 2, 3)).all()
    assert set(np.unique(mask)) == {0.0, 1.0}
    different = np.abs(defective - images).max(axis=-1, keepdims=True)
    assert np.all(different[mask == 0] == 0)
    assert np.mean(different[mask == 1] > 2 / 255) > 0.7
    assert defective.min() >= 0
    assert defective.max() <= 1


def test_the_images_given_are_left_alone(images):
    before = images.copy()
    ChoosingDefects().draw(images, seed=0)
    np.testing.assert_array_equal(images, before)


def test_only_the_seed_decides(images):
    defects = ChoosingDefects()
    first = defects.draw(images, seed=5)
    np.random.default_rng(1).uniform()
    for part, same in zip(first, defects.draw(images, seed=5), strict=True):
        np.testing.assert_array_equal(part, same)
    assert not np.array_equal(first[1], defects.draw(images, seed=6)[1])


def test_padding_stays_whole(images):
    valid = np.zeros((6, 64, 80, 1), "float32")
    valid[:, :40, :50] = 1
    for seed in range(3):
        defective, mask = ChoosingDefects().draw(images, seed, valid)
        assert mask.any(axis=(1, 2, 3)).all()
        assert not mask[valid == 0].any()
        np.testing.assert_array_equal(defective[:, 40:], images[:, 40:])


def test_areas_span_the_range_asked_for(images):
    defects = ChoosingDefects(("stain",), area=(0.002, 0.15))
    area = np.concatenate([defects.draw(images, s)[1].mean(axis=(1, 2, 3)) for s in range(8)])
    assert area.min() < 0.006
    assert area.max() > 0.08
    # A soft edge widens a blob, a border cuts it; neither by much.
    assert area.max() < 0.25


def test_spots_are_tiny(images):
    mask = ChoosingDefects(("spot",), area=(0.001, 0.15)).draw(images, seed=0)[1]
    assert mask.mean(axis=(1, 2, 3)).max() < 0.01


def test_a_flat_image_where_no_warp_shows_still_gets_a_defect():
    flat = np.full((2, 32, 32, 3), 0.5, "float32")
    mask = ChoosingDefects(("warp",)).draw(flat, seed=0)[1]
    assert mask.any(axis=(1, 2, 3)).all()


@pytest.mark.parametrize("brightness", [0.0, 1.0])
def test_black_and_white_images_get_visible_defects(brightness):
    plain = np.full((4, 32, 32, 3), brightness, "float32")
    defective, mask = ChoosingDefects(("stain", "spot")).draw(plain, seed=0)
    assert mask.any(axis=(1, 2, 3)).all()
    assert np.abs(defective - plain).max(axis=(1, 2, 3)).min() > 0.03


def test_grey_images_stay_grey(images):
    grey = np.repeat(images[..., :1], 3, axis=-1)
    for seed in range(3):
        assert np.ptp(ChoosingDefects().draw(grey, seed)[0], axis=-1).max() < 1e-6


def test_one_image_alone_is_enough(images):
    assert ChoosingDefects(("patch",)).draw(images[:1], seed=0)[1].any()


def test_centers_favour_structure():
    images = np.full((40, 48, 48, 3), 0.5, "float32")
    images[:, 8:20:4, 8:20] = 0.9
    mask = ChoosingDefects(("spot",)).draw(images, seed=0)[1][..., 0]
    centers = np.array([np.argwhere(part).mean(axis=0) for part in mask])
    near = np.all((centers > 4) & (centers < 24), axis=1)
    # That square is 17 % of the image.
    assert near.mean() > 0.35


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"kinds": ("rust",)}, "`kinds` must be names"),
        ({"kinds": ()}, "`kinds` must be names"),
        ({"area": (0.2, 0.1)}, "`area` must be"),
    ],
)
def test_wrong_arguments_are_named(kwargs, message):
    with pytest.raises(InputError, match=message):
        ChoosingDefects(**kwargs)


def test_noise_is_zero_on_the_lattice_and_smooth_between():
    class NoOffset:
        def __init__(self):
            self.rng = np.random.default_rng(0)

        def uniform(self, low, high, size):
            return np.zeros(2) if size == 2 else self.rng.uniform(low, high, size)

    y, x = np.mgrid[:5, :7].astype("float64")
    np.testing.assert_allclose(perlin_noise(y, x, NoOffset()), 0, atol=1e-12)
    fine = perlin_noise(*np.mgrid[:4:0.01, :4:0.01], np.random.default_rng(0), octaves=1)
    assert np.abs(np.diff(fine, axis=0)).max() < 0.03
    assert 0.1 < fine.std() < 0.6


@pytest.mark.parametrize("kind", TEXTURES)
@pytest.mark.parametrize("coloured", [False, True])
def test_textures_lie_in_range_and_vary(kind, coloured):
    texture = make_texture(kind, 40, 56, np.random.default_rng(3), coloured)
    assert texture.shape == (40, 56, 3)
    assert texture.min() >= 0
    assert texture.max() <= 1
    assert texture.std(axis=(0, 1)).max() > 0.003
    assert (np.ptp(texture, axis=-1).max() > 0.01) == coloured
