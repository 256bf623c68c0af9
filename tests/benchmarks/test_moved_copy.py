import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def category(tmp_path):
    """A category whose defects are the bright pixels, and its masks."""
    root = tmp_path / "plate"
    generator = np.random.default_rng(0)
    for folder in ("train/good", "test/good", "test/spot", "ground_truth/spot"):
        (root / folder).mkdir(parents=True)
    for name in ("train/good/0", "train/good/1", "test/good/0", "test/spot/0"):
        pixels = generator.integers(0, 90, (48, 64), dtype="uint8")
        if "spot" in name:
            pixels[30:40, 44:60] = 255
            Image.fromarray(np.uint8(255 * (pixels > 128))).save(
                root / "ground_truth/spot/0_mask.png"
            )
        Image.fromarray(pixels).save(root / f"{name}.png")
    return root


def read(path):
    with Image.open(path) as image:
        return np.asarray(image)


@pytest.mark.parametrize(
    "options",
    [
        {"turn": "quarters"},
        {"turn": "any", "zoom": (0.7, 0.8), "shift": 0.05},
        {"turn": "none", "shift": 0.1},
    ],
    ids=["quarters", "any", "shifted"],
)
def test_masks_move_with_their_photos(load, category, tmp_path, options):
    copy = tmp_path / "copy"
    load("moved_copy").copy_category(category, copy, seed=3, **options)
    photo, mask = read(copy / "test/spot/0.png"), read(copy / "ground_truth/spot/0_mask.png")
    assert mask.shape == photo.shape[:2]
    overlap = (photo[..., 0] > 128) & (mask > 128)
    assert overlap.sum() > 0.9 * max((photo[..., 0] > 128).sum(), (mask > 128).sum()) > 0
    original = read(category / "test/spot/0.png")
    assert photo.shape[:2] != original.shape or not np.array_equal(photo[..., 0], original)


def test_a_defect_in_the_corner_stays_in_the_photo(load, category, tmp_path):
    pixels = np.zeros((48, 144), "uint8")
    pixels[:6, :20] = 255
    for path in ("test/spot/0.png", "ground_truth/spot/0_mask.png"):
        Image.fromarray(pixels).save(category / path)
    for seed in range(5):
        copy = tmp_path / f"copy{seed}"
        load("moved_copy").copy_category(category, copy, zoom=(0.8, 1.0), shift=0.05, seed=seed)
        kept = (read(copy / "ground_truth/spot/0_mask.png") > 128).sum()
        assert kept >= 0.9 * 0.8**2 * 120


def test_quarter_turns_change_no_pixel_and_not_all_photos_alike(load, category, tmp_path):
    copy = tmp_path / "copy"
    load("moved_copy").copy_category(category, copy, turn="quarters")
    taken = set()
    for name in ("train/good/0", "train/good/1", "test/good/0", "test/spot/0"):
        photo, original = read(copy / f"{name}.png")[..., 0], read(category / f"{name}.png")
        ways = [np.rot90(way, turn) for way in (original, original[:, ::-1]) for turn in range(4)]
        taken.add([np.array_equal(photo, way) for way in ways].index(True))
    assert len(taken) > 1


def test_photos_that_are_left_out_change_no_other(load, category, tmp_path):
    (category / "train/good/0.png").rename(tmp_path / "kept.png")
    load("moved_copy").copy_category(category, tmp_path / "fewer")
    (tmp_path / "kept.png").rename(category / "train/good/0.png")
    load("moved_copy").copy_category(category, tmp_path / "all")
    for name in ("train/good/1.png", "test/spot/0.png"):
        assert (tmp_path / "all" / name).read_bytes() == (tmp_path / "fewer" / name).read_bytes()


def test_photos_of_one_name_are_refused(load, category, tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (48, 64, 3), "uint8")  # no mask of the other
    Image.fromarray(noise).save(category / "train/good/0.bmp")
    with pytest.raises(SystemExit, match="rename"):
        load("moved_copy").copy_category(category, tmp_path / "copy")


def test_a_folder_that_exists_is_refused(load, category, tmp_path):
    (tmp_path / "copy").mkdir()
    with pytest.raises(SystemExit, match="exists"):
        load("moved_copy").copy_category(category, tmp_path / "copy")
