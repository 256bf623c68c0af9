"""Masks of every kind: what `auto` marks in them, and what it refuses."""

import numpy as np
import pytest
from PIL import Image

from kerasad.data.decoding import Decoding, UnclearMaskError, decode_mask, examine_mask
from kerasad.errors import InputError

LABELS = np.zeros((96, 96), "uint8")
LABELS[10:35, 10:50] = 1  # 1000 pixels
LABELS[60:80, 60:90] = 2  # 600 pixels
MARKED = LABELS > 0


def coloured(*colours, mode="RGB"):
    return Image.fromarray(np.array(colours, "uint8")[LABELS], mode)


def palette(*colours):
    image = Image.fromarray(LABELS, "P")
    image.putpalette([channel for colour in colours for channel in colour])
    return image


def white_noise(levels):
    noise = np.random.default_rng(0).integers(0, levels, LABELS.shape)
    return np.where(MARKED, 255 - noise, noise).astype("uint8")


CLEAR = {
    "0 and 255": MARKED.astype("uint8") * 255,
    "0 and 1": MARKED.astype("uint8"),
    "class numbers": LABELS,
    "grey classes": np.array([0, 200, 100], "uint8")[LABELS],
    "faint and white": np.array([0, 255, 30], "uint8")[LABELS],
    "255 and 128": np.array([0, 255, 128], "uint8")[LABELS],
    "16 bits": np.array([0, 65535, 65535], "uint16")[LABELS],
    "16 bits of 12": np.array([0, 4095, 2000], "uint16")[LABELS],
    "16-bit class numbers": LABELS.astype("uint16"),
    "two colours": Image.fromarray(MARKED),
    "colours on black": coloured((0, 0, 0), (128, 0, 0), (64, 0, 0)),
    "white and red on black": coloured((0, 0, 0), (255, 255, 255), (255, 0, 0)),
    "colours on white": coloured((255, 255, 255), (0x2C, 0xA0, 0x2C), (0x1F, 0x77, 0xB4)),
    "red and black on white": coloured((255, 255, 255), (255, 0, 0), (0, 0, 0)),
    "palette on black": palette((0, 0, 0), (128, 0, 0), (64, 0, 0)),
    "palette on white": palette((255, 255, 255), (128, 0, 0), (64, 0, 0)),
    "noise": white_noise(9),
    "red on transparent": coloured((0, 0, 0, 0), (255, 0, 0, 255), (255, 0, 0, 255), mode="RGBA"),
    "black on transparent": coloured(
        (255, 255, 255, 0), (0, 0, 0, 255), (0, 0, 0, 255), mode="RGBA"
    ),
}


@pytest.mark.parametrize("kind", CLEAR)
def test_a_clear_mask_marks_exactly_its_defects(kind, tmp_path):
    image = CLEAR[kind]
    image = Image.fromarray(image) if isinstance(image, np.ndarray) else image
    image.save(tmp_path / "mask.png")
    mask = decode_mask(tmp_path / "mask.png")
    assert mask.shape == (96, 96, 1)
    assert mask.dtype == np.float32
    np.testing.assert_array_equal(mask[..., 0], MARKED)


UNCLEAR = {
    "white background": (~MARKED).astype("uint8") * 255,
    "all white": np.full((96, 96), 255, "uint8"),
    "class numbers and 255": np.array([0, 255, 1], "uint8")[LABELS],
    "blue background": coloured((0, 0, 200), (255, 0, 0), (0, 255, 0)),
    "black, white and transparent": coloured(
        (0, 0, 0, 255), (255, 255, 255, 255), (0, 0, 0, 0), mode="RGBA"
    ),
    "erased from white": coloured((255,) * 4, (255, 255, 255, 0), (0, 0, 0, 0), mode="RGBA"),
    "erased from black": coloured((0, 0, 0, 255), (0,) * 4, (0,) * 4, mode="RGBA"),
    "one palette colour for all": palette((0, 0, 0), (0, 0, 0), (0, 0, 0)),
    "ramp": np.tile(np.linspace(0, 255, 96).astype("uint8"), (96, 1)),
    "photo": np.random.default_rng(0).normal(120, 30, (96, 96)).clip(0, 255).astype("uint8"),
    "heat map": (255 * np.exp(-((np.mgrid[:96, :96] - 48) ** 2).sum(0) / 150)).astype("uint8"),
}


@pytest.mark.parametrize("kind", UNCLEAR)
def test_an_unclear_mask_is_refused_with_the_option_that_decides(kind, tmp_path):
    image = UNCLEAR[kind]
    image = Image.fromarray(image) if isinstance(image, np.ndarray) else image
    path = tmp_path / "mask.png"
    image.save(path)
    with pytest.raises(UnclearMaskError):
        examine_mask(path)
    with pytest.raises(InputError, match="`mask_foreground`") as error:
        decode_mask(path)
    assert str(error.value).startswith(f"{path}: ")


@pytest.mark.parametrize(
    ("kind", "rule"),
    [
        ("white background", "dark"),
        ("class numbers and 255", "nonzero"),
        ("class numbers and 255", "255,1"),
        ("blue background", "#ff0000,#00ff00"),
        ("one palette colour for all", "nonzero"),
        ("one palette colour for all", "1,2"),
        ("erased from white", "transparent"),
        ("erased from black", "transparent"),
    ],
)
def test_the_option_decides(kind, rule, tmp_path):
    image = UNCLEAR[kind]
    image = Image.fromarray(image) if isinstance(image, np.ndarray) else image
    image.save(tmp_path / "mask.png")
    mask = decode_mask(tmp_path / "mask.png", Decoding(mask_foreground=rule))
    np.testing.assert_array_equal(mask[..., 0], MARKED)


@pytest.mark.parametrize("kind", ["erased from white", "erased from black"])
def test_a_mask_whose_defect_was_erased_is_told_both_ways_to_read_it(kind, tmp_path):
    UNCLEAR[kind].save(tmp_path / "mask.png")
    with pytest.raises(UnclearMaskError, match=r"to transparent .* or to alpha "):
        examine_mask(tmp_path / "mask.png")


@pytest.mark.parametrize("size", [60, 150, 400])
@pytest.mark.parametrize("filter_", [Image.Resampling.BILINEAR, Image.Resampling.LANCZOS])
def test_soft_edges_of_a_resized_mask_end_at_half_of_white(size, filter_, tmp_path):
    image = Image.fromarray(CLEAR["0 and 255"]).resize((size, size), filter_)
    image.save(tmp_path / "mask.png")
    mask = decode_mask(tmp_path / "mask.png")
    np.testing.assert_array_equal(mask[..., 0], np.asarray(image) > 127)


@pytest.mark.parametrize("kind", ["0 and 255", "grey classes", "colours on white"])
@pytest.mark.parametrize("quality", [75, 95])
def test_noise_of_jpeg_moves_only_edges(kind, quality, tmp_path):
    image = CLEAR[kind]
    image = Image.fromarray(image) if isinstance(image, np.ndarray) else image
    image.save(tmp_path / "mask.jpg", quality=quality)
    mask = decode_mask(tmp_path / "mask.jpg")[..., 0] > 0
    assert (mask & MARKED).sum() / (mask | MARKED).sum() > 0.93


def test_a_mask_is_turned_as_its_exif_block_says(tmp_path, encode):
    image = CLEAR["red on transparent"].crop((0, 0, 96, 50))
    (tmp_path / "mask.png").write_bytes(encode(image, orientation=6))
    mask = decode_mask(tmp_path / "mask.png")
    np.testing.assert_array_equal(mask[..., 0], np.rot90(MARKED[:50], -1))


def test_half_of_the_image_and_transparency_are_remarked(tmp_path):
    wide = np.zeros((96, 96), "uint8")
    wide[10:86, 10:86] = 255
    Image.fromarray(wide).save(tmp_path / "wide.png")
    CLEAR["red on transparent"].save(tmp_path / "drawn.png")
    assert "more than half" in examine_mask(tmp_path / "wide.png")[1]
    assert "transparent" in examine_mask(tmp_path / "drawn.png")[1]
    assert examine_mask(tmp_path / "drawn.png", Decoding(mask_foreground="alpha"))[1] is None
