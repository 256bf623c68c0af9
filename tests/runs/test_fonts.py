"""Names of folders in any language, drawn or written so that they can be told apart."""

import pytest
from PIL import Image, ImageDraw

from kerasad.runs.fonts import fit_font


def draw(text):
    shown, font = fit_font(text, 14)
    image = Image.new("L", (300, 30))
    ImageDraw.Draw(image).text((5, 5), shown, font=font, fill=255)
    return shown, image.tobytes()


@pytest.mark.parametrize("text", ["Größe", "брак", "ελάττωμα", "Pęknięcie", "scratch → deep"])
def test_letters_of_many_languages_are_drawn_as_they_are(text):
    shown, pixels = draw(text)
    assert shown == text
    assert pixels != draw(text.swapcase()[::-1])[1]


@pytest.mark.parametrize("names", [("良品", "不良"), ("\udcff", "\udcfe")])
def test_names_that_no_font_has_are_still_told_apart(names):
    (first, one), (second, other) = map(draw, names)
    assert first != second
    assert one != other


def test_what_a_font_lacks_is_written_as_its_number():
    assert fit_font("part \udcff", 14)[0] == "part \\udcff"
