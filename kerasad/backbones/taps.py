"""Selects the tensors of a backbone by name."""

import difflib
from collections.abc import Iterable, Mapping, Sequence

import keras

from kerasad.errors import InputError


def select_taps(
    network: keras.Model, tensors: Mapping[str, keras.KerasTensor], taps: Sequence[str]
) -> keras.Model:
    """Cuts a network after its last tap.

    Args:
        network: functional model.
        tensors: name -> tensor of the network.
        taps: the names wanted, each once.

    Returns:
        network: model of the same input and name, to a dict of the tensors in the order of `taps`.
            Layers that no tap needs are left out.

    Raises:
        InputError: If `taps` is not a list of different names, or a name does not exist; the
            message has the nearest names.
    """
    names = check_taps(network.name, taps, tensors)
    outputs = {name: tensors[name] for name in names}
    return keras.Model(network.input, outputs, name=network.name)


def check_taps(network: str, taps: Sequence[str], known: Iterable[str]) -> list[str]:
    """Returns the names of taps as a list.

    Args:
        network: str. What to call the network in errors.
        taps: as in `select_taps`.
        known: All names.

    Raises:
        InputError: As `select_taps`.
    """
    names = [] if isinstance(taps, str) else list(taps)
    if not names or len(set(names)) != len(names):
        raise InputError(
            f"`taps` must be one or more different names in a list. Received: {taps!r}"
        )
    known = list(known)
    for name in names:
        if name not in known:
            raise InputError(f"`taps`: {unknown_name(f'{network} has no', name, known)}")
    return names


def unknown_name(sentence: str, name: str, known: Iterable[str]) -> str:
    """Returns a message about an unknown name, with the nearest known ones.

    Args:
        sentence: str. Its beginning, such as `"There is no backbone"`.
        name: The name that was given.
        known: All names.
    """
    known = list(known)
    lower = {}
    for other in known:
        lower.setdefault(other.lower(), other)
    near = [lower[key] for key in difflib.get_close_matches(str(name).lower(), lower, n=3)]
    if near:
        hint = f"did you mean {' or '.join(repr(other) for other in near)}?"
    else:
        more = f" and {len(known) - 20} more" if len(known) > 20 else ""
        hint = f"there is {', '.join(known[:20])}{more}."
    return f"{sentence} {name!r}; {hint}"
