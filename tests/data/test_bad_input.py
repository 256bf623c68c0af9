"""Each kind of bad file in a category: named and left out, or refused, or decoded rightly."""

import os
import shutil

import numpy as np
import pytest
from PIL import Image

from kerasad.data import read_category
from kerasad.data.decoding import decode_file
from kerasad.data.split import split_good
from kerasad.errors import InputError

BROKEN = {
    "corrupt": "broken or cut off",
    "cut off": "broken or cut off",
    "empty": "is empty",
    "huge": "400 megapixels",
    "one pixel": "too few to learn from",
    "animated": "several images",
    "pages": "several images",
    "text": "a file of an unknown type",
    "float": "floating-point",
    "folder": "is a folder",
    "dangling link": "cannot be read",
    "named pipe": "not a regular file",
}


@pytest.fixture
def write_bad(category, noise, encode, make_bomb):
    """Puts one bad file into train/good and returns its path."""

    def write(kind):
        path = category / "train/good" / ("x.tif" if kind in ("pages", "float") else "x.png")
        data = encode(noise(32, 24, seed=99))
        frames = [Image.fromarray(noise(32, 24, seed=seed)) for seed in (98, 99)]
        contents = {
            "corrupt": data[:900] + bytes([data[900] ^ 255]) + data[901:],
            "cut off": data[: len(data) // 2],
            "empty": b"",
            "huge": make_bomb(20_000, 20_000),
            "one pixel": encode(noise(1, 1)),
            "animated": encode(frames[0], save_all=True, append_images=frames[1:]),
            "pages": encode(frames[0], "TIFF", save_all=True, append_images=frames[1:]),
            "text": b"this is no image",
            "float": encode(np.zeros((32, 24), "float32"), "TIFF"),
        }
        if kind in contents:
            path.write_bytes(contents[kind])
        elif kind == "folder":
            path.mkdir()
        elif kind == "dangling link":
            path.symlink_to(category / "nowhere.png")
        else:
            os.mkfifo(path)
        return path

    return write


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_file_is_named_and_left_out(kind, category, write_bad):
    path = write_bad(kind)
    index = read_category(category)
    assert len(index.good) == 6
    (problem,) = index.problems
    assert (problem.path, problem.broken) == (str(path), True)
    assert problem.message.startswith(f"{path}: ")
    assert BROKEN[kind] in problem.message
    assert problem.message.count("\n") == 0


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_file_is_refused_if_asked(kind, category, write_bad):
    write_bad(kind)
    with pytest.raises(InputError, match=BROKEN[kind]):
        read_category(category, on_bad="raise")


@pytest.mark.parametrize("kind", [kind for kind in BROKEN if kind != "one pixel"])
def test_decoding_a_broken_file_is_refused(kind, write_bad):
    path = write_bad(kind)
    with pytest.raises(InputError) as error:
        decode_file(path)
    assert str(path) in str(error.value)


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission_is_named_and_left_out(category):
    path = category / "train/good/000.png"
    path.chmod(0)
    index = read_category(category)
    assert len(index.good) == 5
    assert "cannot be read (Permission denied)" in index.problems[0].message


def test_an_unreadable_file_is_named_and_left_out(category, monkeypatch):
    path = str(category / "train/good/000.png")

    def refuse(name, *args, **kwargs):
        if os.fspath(name) == path:
            raise PermissionError(13, "Permission denied", name)
        return open(name, *args, **kwargs)

    monkeypatch.setattr("kerasad.data.decoding.header.open", refuse, raising=False)
    index = read_category(category)
    assert len(index.good) == 5
    assert "000.png: the file cannot be read (Permission denied)" in index.problems[0].message


def test_a_name_that_is_not_utf8_is_reported_and_left_out(category):
    source = os.fsencode(category / "train/good/000.png")
    try:
        shutil.copy(source, os.fsencode(category / "train/good") + b"/\xff.png")
    except OSError:
        pytest.skip("this file system takes only UTF-8")
    index = read_category(category)
    assert len(index.good) == 6
    assert r"\udcff.png: its name is not valid UTF-8" in index.problems[0].message


@pytest.mark.parametrize(
    "name", ["größe 1.png", "部品 (2).png", "a'b\"c%20.png", "x" * 240 + ".png"]
)
def test_unusual_names_work(name, category):
    (category / "test/scratch/008.png").rename(category / "test/scratch" / name)
    masks = category / "ground_truth/scratch"
    (masks / "008_mask.png").rename(masks / name.replace(".png", "_mask.png"))
    index = read_category(category, on_bad="raise")
    record = next(record for record in index.test if record.path.endswith(name))
    assert record.mask_paths
    assert decode_file(record).shape == (32, 24, 3)


@pytest.mark.parametrize("kind", ["CMYK", "alpha", "16-bit", "palette", "turned", "two colours"])
def test_unusual_images_are_used(kind, category, noise):
    folder = category / "train/good"
    image = Image.fromarray(noise(32, 24, seed=99))
    exif = Image.Exif()
    exif[0x0112] = 6
    if kind == "CMYK":
        image.convert("CMYK").save(folder / "x.jpg", quality=95)
    elif kind == "alpha":
        image.putalpha(0)
        image.save(folder / "x.png")
    elif kind == "16-bit":
        Image.fromarray(noise(32, 24)[..., 0].astype("uint16") * 257).save(folder / "x.png")
    elif kind == "turned":
        image.save(folder / "x.png", exif=exif)
    else:
        image.convert({"palette": "P", "two colours": "1"}[kind]).save(folder / "x.png")
    index = read_category(category, on_bad="raise")
    record = next(record for record in index.good if "/x." in record.path)
    assert (record.height, record.width) == ((24, 32) if kind == "turned" else (32, 24))
    pixels = decode_file(record)
    assert pixels.shape == (record.height, record.width, 3)
    assert 0.2 < pixels.mean() < 0.8


def test_one_pixel_may_be_tested(category, noise):
    Image.fromarray(noise(1, 1)).save(category / "test/good/tiny.png")
    index = read_category(category, on_bad="raise")
    record = next(record for record in index.test if record.path.endswith("tiny.png"))
    np.testing.assert_allclose(decode_file(record), noise(1, 1) / 255, rtol=1e-6)


@pytest.mark.parametrize("damage", ["size", "cut off"])
def test_a_wrong_mask_is_named_and_left_out(damage, category):
    mask = category / "ground_truth/scratch/009_mask.png"
    if damage == "size":
        Image.new("L", (32, 24), 255).save(mask)
    else:
        mask.write_bytes(mask.read_bytes()[:-30])
    index = read_category(category)
    assert [len(record.mask_paths) for record in index.test] == [0, 0, 1, 0]
    message = index.problems[0].message
    assert message.startswith(f"{mask}: ")
    if damage == "size":
        assert "32 x 24 pixels and its image" in message
        assert "is 24 x 32" in message
    with pytest.raises(InputError, match="009_mask"):
        read_category(category, on_bad="raise")


@pytest.mark.parametrize("kind", ["none", "only broken ones"])
@pytest.mark.parametrize("layout", ["mvtec", "folder"])
def test_no_good_images_are_refused(kind, layout, tmp_path):
    folder = tmp_path / "train/good" if layout == "mvtec" else tmp_path
    folder.mkdir(parents=True, exist_ok=True)
    if kind == "only broken ones":
        (folder / "x.png").write_bytes(b"")
    with pytest.raises(InputError, match="no usable good image") as error:
        read_category(tmp_path)
    assert str(error.value).startswith(f"{tmp_path}: ")
    assert ("x.png: the file is empty" in str(error.value)) == (kind == "only broken ones")


def test_a_category_with_nothing_but_defects_names_the_option(category):
    shutil.rmtree(category / "train")
    with pytest.raises(InputError, match=r"defective or for tests.*with `good`"):
        read_category(category, bad=["test/scratch"])


def test_two_good_images_are_enough_to_start(category):
    for number in range(2, 6):
        (category / f"train/good/00{number}.png").unlink()
    split = split_good(read_category(category).good)
    assert (len(split.train), len(split.calibration)) == (1, 1)
    assert split.calibration_on_crops
    (category / "train/good/001.png").unlink()
    with pytest.raises(InputError, match="two different good images"):
        split_good(read_category(category).good)
