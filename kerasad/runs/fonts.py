"""A font for names in any language: folders are called 良品, брак or Größe."""

import functools
from pathlib import Path

from PIL import ImageFont


def fit_font(text: str, size: int) -> tuple[str, ImageFont.FreeTypeFont]:
    """Returns a text as it can be drawn, and the font for it.

    DejaVu Sans, which comes with Matplotlib, has Latin, Greek, Cyrillic and many other letters.
    For the rest a font of the system is taken. Letters that none of them has become `\\u826f`, as
    on a console that cannot show them.

    Args:
        text: str. It may hold anything that a file name may.
        size: int. Height in pixels.
    """
    own, letters = _own_font(), set(map(ord, text))
    path = own if letters <= _letters(own) else _find_font(frozenset(letters)) or own
    known = _letters(path)
    shown = "".join(
        sign if ord(sign) in known else sign.encode("ascii", "backslashreplace").decode()
        for sign in text
    )
    return shown, ImageFont.truetype(path, size)


def _own_font() -> str:
    import matplotlib

    return str(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf")


@functools.cache
def _find_font(letters: frozenset[int]) -> str | None:
    """Returns a font of the system that has all the letters."""
    from matplotlib.font_manager import fontManager

    # Those whose name begins so draw the same box for every letter of a language.
    fonts = [entry for entry in fontManager.ttflist if not entry.name.startswith("Last Resort")]
    paths = sorted({entry.fname for entry in fonts})
    return next((path for path in paths if letters <= _letters(path)), None)


@functools.cache
def _letters(path: str) -> frozenset[int]:
    """Returns the code points that a font has; none if it cannot be read."""
    from matplotlib.ft2font import FT2Font

    try:
        ImageFont.truetype(path, 10)  # some that Matplotlib reads have no outlines
        return frozenset(FT2Font(path).get_charmap())
    except (OSError, RuntimeError):
        return frozenset()
