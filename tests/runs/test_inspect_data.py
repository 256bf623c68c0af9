"""`kerasad inspect-data`: what would be read, as what; and the one resolver behind every verb."""

import numpy as np
import pytest
from command_line import must, refused, write_image
from PIL import Image

from kerasad.training.config import DataConfig
from kerasad.training.locations import with_data


@pytest.fixture
def shop(tmp_path):
    """Good images, a crack with a mask and a defect by its position."""
    root = tmp_path / "shop"
    for number in range(12):
        write_image(root / f"ok/{number}.png", number)
    write_image(root / "crack/0.png", 50)
    write_image(root / "foo/1.png", 51)
    mask = np.zeros((32, 32), "uint8")
    mask[8:16, 8:16] = 255
    (root / "masks").mkdir()
    Image.fromarray(mask).save(root / "masks/0.png")
    return root


def test_it_shows_folders_by_role_and_draws_a_sheet(shop, tmp_path):
    sheet = tmp_path / "sheet.png"
    output = must("inspect-data", shop, "--output", sheet).output
    assert "read as good and bad side by side" in output
    assert "only because it lies beside good images" in output
    pixels = np.asarray(Image.open(sheet))
    outlined = (pixels == (255, 0, 255)).all(axis=-1)
    assert 100 < outlined.sum() < 2000  # one mask
    assert len(list(shop.iterdir())) == 4  # nothing was written to the data


def test_it_reads_masks_by_the_option(shop, tmp_path):
    sheet = tmp_path / "sheet.png"
    words = ["inspect-data", shop, "--output", sheet, "--mask-foreground"]
    assert "the mask is empty" in must(*words, "7").output
    assert "--mask-foreground must be one of" in refused(*words, "purple")


def test_a_sheet_in_the_data_would_be_a_photo(shop):
    message = refused("inspect-data", shop, "--output", shop / "ok/sheet.png")
    assert "would be read as a photo" in message
    assert not (shop / "ok/sheet.png").exists()


@pytest.mark.parametrize("verb", ["train", "tune", "inspect-data", "benchmark"])
def test_what_is_not_certain_stops_each_verb_that_reads_data(verb, shop, tmp_path):
    (shop / "raw").mkdir()
    write_image(shop / "raw/5.png", 60)
    message = refused(verb, shop, "--output", tmp_path / "out")
    assert "raw: beside crack and ok" in message
    assert "--good, --bad and --masks" in message
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("verb", ["evaluate", "calibrate", "check"])
def test_what_is_not_certain_stops_each_verb_that_measures_a_run(verb, run, shop):
    write_image(shop / "raw/5.png", 60)
    assert "raw: beside crack and ok" in refused(verb, run, "--data", shop)


@pytest.mark.parametrize("verb", ["calibrate", "check"])
def test_defective_images_never_count_as_good(verb, run, shop):
    assert "good images are needed" in refused(verb, run, "--data", shop / "crack")


def test_defects_and_good_images_that_the_run_has_not_seen_are_tested(run, shop):
    output = must("evaluate", run, "--data", shop, "--bad", "foo", "--bad", "crack").output
    assert "4 test images" in output  # ten of the twelve good ones made the run
    assert "foo" in output


def test_folders_that_were_named_belong_to_their_data(tmp_path):
    config = DataConfig(str(tmp_path), good=("ok",))
    assert with_data(config).good == ("ok",)
    assert with_data(config, str(tmp_path)).good == ("ok",)
    assert with_data(config, str(tmp_path / "other")).good == ()
    assert with_data(config).mask_foreground == "auto"
    assert with_data(config, mask_foreground="dark").mask_foreground == "dark"
    assert with_data(config, bad=["nok"]).folders == {"good": (), "bad": ("nok",), "masks": ()}
