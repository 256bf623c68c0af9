"""Which pixels of a mask mark a defect: the rules of `mask_foreground`, on arrays alone."""

import re

import numpy as np

from kerasad.data.decoding.mask_levels import NOISE, UnclearMaskError, find_edge
from kerasad.errors import InputError

RULES = ("auto", "nonzero", "bright", "dark", "not-white", "alpha", "transparent")

_COLOUR = re.compile(r"#[0-9a-f]{6}")
_WHITES = (255, 1023, 4095, 16383, 65535)  # of 8, 10, 12, 14 and 16 bits


def check_rule(rule: str) -> None:
    """Refuses a rule that is neither one of `RULES` nor a list of values.

    Raises:
        InputError: If it is refused.
    """
    if rule not in RULES and not (isinstance(rule, str) and all(map(_parse, rule.split(",")))):
        raise InputError(
            f"`mask_foreground` must be one of {', '.join(RULES)}, or the values of defects such "
            f"as 1,3 or #2ca02c,#1f77b4. Received: {rule!r}"
        )


def is_by_number(rule: str) -> bool:
    """Returns whether a rule asks for the numbers in a file: of a palette, the indices."""
    return rule == "nonzero" or (rule not in RULES and "#" not in rule)


def foreground(pixels: np.ndarray, rule: str = "auto") -> np.ndarray:
    """Returns which pixels of a mask mark a defect.

    - `nonzero`: all values other than 0.
    - `bright`, `dark`: brighter than half of white, or not.
    - `not-white`: all colours other than white.
    - `alpha`: what is not transparent; `transparent`: what is.
    - `1,3` or `#2ca02c`: these values or colours.
    - `auto`: what stands on a black or transparent background, or is coloured on a white one; a
      mask that can be understood in another way is refused.

    Args:
        pixels: Whole numbers (height, width), or (height, width, channels): grey or three colours,
            and alpha after them.
        rule: str.

    Returns:
        bool (height, width).

    Raises:
        UnclearMaskError: If `auto` cannot tell, or the rule does not apply to such a mask.
    """
    colours, alpha = _split(pixels)
    white = _white(colours)
    if rule == "auto":
        return _find(colours, alpha, white)
    if rule == "nonzero":
        return colours.max(axis=-1) > 0
    if rule == "bright":
        return colours.max(axis=-1) > white / 2
    if rule == "dark":
        return colours.max(axis=-1) <= white / 2
    if rule == "not-white":
        return colours.min(axis=-1) < white - int(NOISE * white)
    if rule in ("alpha", "transparent"):
        if alpha is None:
            raise UnclearMaskError(
                "no alpha", "it has no alpha channel; set another `mask_foreground`."
            )
        return (alpha > np.iinfo(alpha.dtype).max / 2) == (rule == "alpha")
    return _select(colours, rule)


def describe_doubt(pixels: np.ndarray, marked: np.ndarray) -> str | None:
    """Returns a remark on a mask that `auto` understood, or None if there is no doubt about it."""
    _, alpha = _split(pixels)
    if _has_drawing(alpha):
        return (
            "its background is transparent, and what is drawn on it is taken as the defect; if the "
            "transparent part is the defect, set `mask_foreground` to transparent."
        )
    if marked.mean() > 0.5:
        return (
            "it marks more than half of the image; if the defect is the rest, set "
            "`mask_foreground` to dark."
        )
    return None


def _find(colours, alpha, white):
    if _has_drawing(alpha):
        _check_drawing(colours, alpha > 0, white)
        strength, white = alpha, np.iinfo(alpha.dtype).max
    else:
        strength = _measure_strength(colours, white)
    marked = strength > find_edge(strength, white)
    border = np.concatenate([marked[0], marked[-1], marked[:, 0], marked[:, -1]])
    if (marked.mean() > 0.5 and border.mean() > 0.5) or border.mean() > 0.9:
        if _has_drawing(alpha):
            raise UnclearMaskError(
                "drawn background",
                f"{marked.mean():.0%} of it and most of its border are drawn, and the rest is "
                "transparent, so the defect may be what was erased; set `mask_foreground` to "
                "transparent (what was erased is the defect), or to alpha (what is drawn is it).",
            )
        raise UnclearMaskError(
            "bright background",
            f"it marks {marked.mean():.0%} of the image and most of its border, so the defect may "
            "be the rest; set `mask_foreground` to dark or not-white (the rest is the defect), or "
            "to nonzero or bright (it is as marked).",
        )
    return marked


def _measure_strength(colours, white):
    """Returns how far each pixel is from the background, which is black or white."""
    noise = int(NOISE * white)
    highest, lowest = _across(np.maximum, colours), _across(np.minimum, colours)
    if (highest - lowest).max() <= noise or (highest <= noise).mean() >= 0.5:
        return highest
    if (lowest >= white - noise).mean() >= 0.5:
        return white - lowest
    raise UnclearMaskError(
        "no background",
        "it has colours, and neither black nor white covers half of it, so the background is not "
        "known; set `mask_foreground` to nonzero (black is the background), not-white, or the "
        "colours of defects, such as #2ca02c,#1f77b4.",
    )


def _across(take, colours):
    """Returns the highest or lowest channel; ten times faster than a reduction of the last axis."""
    taken = colours[..., 0].copy()
    for channel in range(1, colours.shape[-1]):
        take(taken, colours[..., channel], out=taken)
    return taken


def _has_drawing(alpha):
    return alpha is not None and bool((alpha != np.iinfo(alpha.dtype).max).any())


def _check_drawing(colours, drawn, white):
    """Refuses a drawing on a transparent background that may have a background of its own."""
    noise = int(NOISE * white)
    # Not `colours[drawn]`, which takes 16 bytes a pixel.
    is_black = _across(np.maximum, colours) <= noise
    is_white = _across(np.minimum, colours) >= white - noise
    others = ~(is_black | is_white)
    kinds = [(kind & drawn).any() for kind in (is_black, is_white, others)]
    if sum(kinds) > 1:
        raise UnclearMaskError(
            "transparent parts",
            "a part of it is transparent, and the rest has more than one colour; set "
            "`mask_foreground` to alpha (all that is not transparent is a defect), to transparent "
            "(what was erased is the defect), or to nonzero, bright, dark or not-white "
            "(transparency does not count).",
        )


def _select(colours, rule):
    """Returns which pixels have one of the values of a list."""
    marked = np.zeros(colours.shape[:2], bool)
    is_grey = (colours == colours[..., :1]).all()
    for part in rule.split(","):
        value = _parse(part)
        if len(value) == 1 and not is_grey:
            raise UnclearMaskError(
                "colours",
                f"it has colours, and `mask_foreground` {rule} names values of grey; name colours, "
                "such as #2ca02c.",
            )
        marked |= (colours == value).all(axis=-1)
    return marked


def _parse(text):
    """Returns one value of a list as a tuple of channels; None if it is not a value."""
    text = text.strip().lower()
    if _COLOUR.fullmatch(text):
        return tuple(bytes.fromhex(text[1:]))
    return (int(text),) if text.isdecimal() and text.isascii() else None


def _split(pixels):
    """Returns the colours, (height, width, 1 or 3), and alpha or None."""
    if pixels.ndim == 2:
        return pixels[..., None], None
    if pixels.shape[-1] in (2, 4):
        return pixels[..., :-1], pixels[..., -1]
    return pixels, None


def _white(colours):
    """The white level; 16-bit files may use fewer bits."""
    if colours.dtype == np.uint8:
        return 255
    return next(white for white in _WHITES if colours.max() <= white)
