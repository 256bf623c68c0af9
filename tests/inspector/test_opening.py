from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from kerasad.data.decoding import Decoding
from kerasad.data.geometry import Geometry
from kerasad.errors import InputError
from kerasad.inspector import opening
from kerasad.inspector.opening import open_picture
from kerasad.inspector.sources import DetectorSource

FRAME = Geometry(32, 48)


def test_a_picture_is_what_the_model_sees_and_a_photo(file):
    opened = open_picture(file(spot=np.s_[8:16, 12:24]), "a.png", Decoding(), FRAME)
    assert opened.inputs.shape == (1, 32, 48, 3)
    assert opened.photo.dtype == np.uint8
    np.testing.assert_array_equal(np.rint(opened.inputs[0] * 255).astype("uint8"), opened.photo)
    assert opened.photo[10, 15].tolist() == [255, 255, 255]


def test_a_large_photo_is_shown_smaller(file, monkeypatch):
    monkeypatch.setattr(opening, "VIEW_SIDE", 40)
    opened = open_picture(file(size=(100, 60)), "a.png", Decoding(), FRAME)
    assert opened.photo.shape == (24, 40, 3)
    assert (opened.header.height, opened.header.width) == (60, 100)


def test_sixteen_bits_are_shown_in_eight(file):
    opened = open_picture(file(dtype="uint16", spot=np.s_[:4, :4]), "a.png", Decoding(), FRAME)
    assert opened.photo[0, 0].tolist() == [255, 255, 255]
    assert opened.photo[20, 20].tolist() == [127, 127, 127]


def test_a_padded_frame_has_its_validity(file):
    frame = Geometry(32, 32, keep_aspect=True)
    inputs = open_picture(file(), "a.png", Decoding(), frame).inputs
    assert inputs["valid"].sum() == 21 * 32


@pytest.mark.parametrize(
    ("data", "part"),
    [
        (b"", "the file is empty"),
        (b"GIF89a and so on, as it goes", "a file of type GIF"),
        (b"\x89PNG\r\n\x1a\n and nothing else", "the start of the file is broken"),
    ],
)
def test_what_is_no_picture_is_refused_by_its_name(data, part):
    with pytest.raises(InputError, match=r"^shift 3/x\.png: ") as caught:
        open_picture(data, "shift 3/x.png", Decoding(), FRAME)
    assert part in str(caught.value)


def test_a_file_over_the_limit_is_refused_before_it_is_decoded(file, monkeypatch):
    def decode(*arguments):
        raise AssertionError("it was decoded")

    monkeypatch.setattr(opening, "decode_bytes", decode)
    with pytest.raises(InputError, match=r"^a\.png: the image is 48 x 32 pixels"):
        open_picture(file(), "a.png", Decoding(pixel_limit=1000), FRAME)


def test_a_file_that_is_cut_off_is_refused_by_its_name(file):
    whole = file(spot=np.s_[:8])
    with pytest.raises(InputError, match=r"^a\.png: the PNG is broken or cut off"):
        open_picture(whole[: len(whole) // 2], "a.png", Decoding(), FRAME)


def test_a_detector_whose_images_bring_their_regions_is_refused():
    decision = SimpleNamespace(require_calibration=lambda: None)
    detector = SimpleNamespace(decision=decision, roi="each")
    with pytest.raises(InputError, match="region of interest of its own"):
        DetectorSource(detector, Path("detector.keras"))
