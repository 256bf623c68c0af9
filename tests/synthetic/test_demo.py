import hashlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kerasad.data import read_category
from kerasad.errors import InputError
from kerasad.synthetic import demo


@pytest.fixture(scope="module")
def brick(tmp_path_factory):
    return Path(demo.write_demo("brick", tmp_path_factory.mktemp("demos")))


def hashes(folder):
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def pixels(path):
    return np.asarray(Image.open(path))


def test_the_tree_reads_as_a_category_without_problems(brick):
    index = read_category(str(brick))
    assert index.layout == "mvtec"
    assert index.problems == ()
    assert len(index.good) == 60
    counts = {}
    for record in index.test:
        counts[record.defect] = counts.get(record.defect, 0) + 1
    assert counts == {"good": 20, "scratch": 10, "stain": 10, "thread": 10, "hole": 10}
    assert all(record.mask_paths for record in index.test if record.label)
    assert len({record.content_hash for record in (*index.good, *index.test)}) == 120


@pytest.mark.parametrize("name", demo.DEMOS)
def test_photographs_come_from_the_installed_package(name):
    photograph = demo.load_photograph(name)
    assert photograph.shape == (512, 512)
    assert photograph.dtype == np.uint8
    assert photograph.std() > 10


def test_train_and_test_come_from_disjoint_regions(brick):
    seen = {}
    for part, regions in (("train", demo.TRAIN_REGIONS), ("test", demo.TEST_REGIONS)):
        seen[part] = np.zeros((512, 512), bool)
        for top, left, bottom, right in regions:
            seen[part][top:bottom, left:right] = True
        photograph = np.where(seen[part], demo.load_photograph("brick"), 0)
        for path in sorted((brick / part / "good").iterdir())[:5]:
            assert contains(photograph, pixels(path)), path
    assert not np.any(seen["train"] & seen["test"])


def contains(photograph, crop):
    """Whether the crop is a part of the photograph, by its first row and then the rest."""
    rows = np.lib.stride_tricks.sliding_window_view(photograph, crop.shape[1], axis=1)
    candidates = np.argwhere((rows == crop[0]).all(axis=-1))
    return any(
        np.array_equal(photograph[y : y + crop.shape[0], x : x + crop.shape[1]], crop)
        for y, x in candidates
    )


def test_masks_cover_what_was_drawn_on_the_photograph(brick):
    top, left, bottom, right = demo.TEST_REGIONS[0]
    region = demo.load_photograph("brick")[top:bottom, left:right]
    windows = np.lib.stride_tricks.sliding_window_view(region, (demo.CROP, demo.CROP))
    for defect in demo.DEFECTS:
        defective = pixels(brick / "test" / defect / "000.png")
        mask = pixels(brick / "ground_truth" / defect / "000_mask.png")
        assert set(np.unique(mask)) == {0, 255}
        # Outside its mask the image is the photograph, at exactly one place.
        rest = mask == 0
        fits = [
            (y, x)
            for y in range(windows.shape[0])
            for x in range(windows.shape[1])
            if np.array_equal(windows[y, x][rest], defective[rest])
        ]
        assert len(fits) == 1
        assert np.mean(windows[fits[0]][~rest] != defective[~rest]) > 0.9


def test_the_same_seed_writes_the_same_bytes(brick, tmp_path):
    assert hashes(Path(demo.write_demo("brick", tmp_path))) == hashes(brick)


def test_another_seed_writes_other_images_beside(brick):
    other = Path(demo.write_demo("brick", brick.parent, seed=1))
    assert other != brick
    assert not set(hashes(other).values()) & set(hashes(brick).values())


def test_a_complete_demo_is_kept_as_it_is(brick):
    before = {path: path.stat().st_mtime_ns for path in brick.rglob("*")}
    assert demo.write_demo("brick", brick.parent) == str(brick)
    assert {path: path.stat().st_mtime_ns for path in brick.rglob("*")} == before


def test_nothing_but_the_demo_is_left_in_the_folder(tmp_path):
    demo.write_demo("grass", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["grass"]


def test_an_interrupted_write_leaves_no_demo(tmp_path, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(demo, "draw_demo_defect", interrupt)
    with pytest.raises(KeyboardInterrupt):
        demo.write_demo("gravel", tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_an_existing_folder_is_not_overwritten(tmp_path):
    (tmp_path / "brick").mkdir()
    (tmp_path / "brick" / "mine.txt").write_text("keep")
    with pytest.raises(InputError, match="not a complete demo"):
        demo.write_demo("brick", tmp_path)
    assert (tmp_path / "brick" / "mine.txt").read_text() == "keep"


def test_a_demo_that_lost_files_is_not_taken_for_complete(tmp_path):
    folder = Path(demo.write_demo("brick", tmp_path))
    (folder / "train" / "good" / "000.png").unlink()
    with pytest.raises(InputError, match="not a complete demo"):
        demo.write_demo("brick", tmp_path)


def test_names_of_demos_resolve(brick):
    directory = brick.parent
    assert demo.resolve_demo("demo", directory) == str(brick)
    assert demo.resolve_demo("demo/brick", directory) == str(brick)
    assert demo.resolve_demo("demo/brick/", directory) == str(brick)


@pytest.mark.parametrize("data", ["demo/wood", "bottle"])
def test_what_is_no_demo_is_refused(data, tmp_path):
    with pytest.raises(InputError, match="demo"):
        demo.resolve_demo(data, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_missing_photograph_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(demo.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(InputError, match="from the package scikit-image"):
        demo.write_demo("brick", tmp_path)


def test_the_default_folder_is_the_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert demo.demo_directory() == tmp_path / "kerasad" / "demo"


def test_a_folder_that_cannot_be_made_is_named_with_what_to_do(tmp_path):
    (tmp_path / "file").write_text("in the way")
    folder = tmp_path / "file" / "cache"
    with pytest.raises(InputError, match=rf"written to {folder} \(Not a directory\).*XDG_CACHE_"):
        demo.write_demo("brick", folder)
