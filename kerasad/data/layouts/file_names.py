"""Whether the names of images in one folder tell good from defective."""

import functools
import re
from collections.abc import Sequence
from pathlib import Path

from kerasad.data.layouts.names import Role, fold, join_initials, opposite_names, read_name

_BAD = (Role.BAD, Role.KIND, Role.UNSORTED)
_NO_PHOTO = (Role.MASKS, Role.REGIONS, Role.RESULTS)
_LETTERS = ({"g", "b"}, {"p", "f"}, {"t", "f"}, {"g", "n"}, {"o", "n"})
_HASH = re.compile(r"[0-9a-f]{24,}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def find_defective(images: Sequence[Path]) -> list[Path]:
    """Returns the images whose names say defective; none if all do, as a word of the product's."""
    hints = [path for path in images if _read_stem(path.stem) in _BAD]
    return hints if len(hints) < len(images) else []


def tell_apart(images: Sequence[Path]) -> str | None:
    """Returns how the names of images tell some of them from others in quality, or None.

    A word in all names is the product's. Numbers after a name count views; numbers before it may be
    classes.

    Args:
        images: The photos of one folder, which would all count as good.
    """
    good = [path for path in images if _read_stem(path.stem) is Role.GOOD]
    good = good if len(good) < len(images) else []
    for hints, what in (
        (find_defective(images), "defective"),
        (good, "good, and the others do not"),
    ):
        if len(hints) == 1:
            return f"the name of {hints[0].name} says {what}"
        if hints:
            return f"names of {len(hints)} images, such as {hints[0].name}, say {what}"
    first = {_token(r"([^\W\d_]+|\d+)[\W_].*", path) for path in images}
    last = {_token(r".*[\W_]([^\W\d_]+)", path) for path in images}
    for tokens in (first, last):
        is_pair = tokens in _LETTERS or (tokens != {"a", "b"} and opposite_names(sorted(tokens)))
        if is_pair:
            return f"names of images have {' or '.join(sorted(tokens))}, which seem to be classes"
    return None


def _read_stem(stem: str) -> Role | None:
    token = r"[^\W\d_]+(?=\d*(?:[\W_]|$))"
    is_hash = _HASH.fullmatch(fold(stem)) is not None
    words = [] if is_hash else re.findall(rf"(?:^|(?<=[\W\d_])){token}", join_initials(stem))
    return _read_words(" ".join(words))


@functools.lru_cache(maxsize=1024)
def _read_words(words: str) -> Role | None:
    """Cached, since names of photos differ mostly in their numbers."""
    # "nok bw" is a photo that is not ok, in black and white.
    rest = [word for word in words.split() if read_name(word).role not in _NO_PHOTO]
    return read_name(" ".join(rest)).role


def _token(pattern: str, path: Path) -> str:
    match = re.fullmatch(pattern, path.stem)
    return fold(match[1]) if match else ""
