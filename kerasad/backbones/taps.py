"""Selects the tensors of a backbone by name."""

from collections.abc import Iterable, Mapping, Sequence

import keras

from kerasad.errors import InputError, unknown_name


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
            raise InputError(f"`taps`: {unknown_name(f'tap of {network}', name, known)}")
    return names
