"""The auxiliary losses of a subclass: what it declares, and whether its hook returns that."""

import keras
from keras import ops

from kerasad.errors import InputError

HOOK = "auxiliary_losses"


def declared_losses(model_class: type, taken: tuple[str, ...]) -> tuple[str, ...]:
    """Returns the `auxiliary_loss_names` of a class and of all its parents.

    Args:
        model_class: subclass of `VAEGAN`.
        taken: names that every model logs.

    Raises:
        InputError: The names are not a tuple of strings, or one of them is taken.
    """
    found: dict[str, None] = {}
    for parent in model_class.__mro__:
        names = vars(parent).get("auxiliary_loss_names", ())
        if not isinstance(names, tuple | list) or not all(isinstance(n, str) for n in names):
            raise InputError(
                f"`auxiliary_loss_names` of {parent.__name__} must be a tuple of names, such as "
                f'("my_loss",). Received: {names!r}'
            )
        found |= dict.fromkeys(names)
    for name in found:
        if name in taken:
            raise InputError(
                f"`auxiliary_loss_names` of {model_class.__name__} has {name!r}, which is a loss "
                "of every model; choose another name."
            )
    return tuple(found)


def add_auxiliary_losses(owner: str, names: tuple[str, ...], returned, logs: dict):
    """Adds what the hook returned to the logs; returns the weighted sum, float32 `()`.

    Args:
        owner: str. The class, for messages.
        names: what `declared_losses` found.
        returned: what `auxiliary_losses` returned.
        logs: dict. Changed.

    Raises:
        InputError: That is not a dict with a weight and a scalar loss for each name.
    """
    if not isinstance(returned, dict):
        raise InputError(
            f"{owner}.{HOOK} must return a dict of `(weight, loss)` by name. Received: "
            f"{_describe(returned)}"
        )
    missing = [name for name in names if name not in returned]
    if missing:
        raise InputError(
            f"{owner}.{HOOK} returns no {missing[0]!r}, which `auxiliary_loss_names` of the class "
            f"or of a parent declares: add your terms to those of `super().{HOOK}(...)`."
        )
    total = ops.zeros(())
    for name, pair in returned.items():
        if name not in names:
            raise InputError(
                f"{owner}.{HOOK} returns {name!r}, which no class declares: add it to "
                "`auxiliary_loss_names`."
            )
        if not isinstance(pair, tuple | list) or len(pair) != 2:
            raise InputError(
                f"{owner}.{HOOK} must return `(weight, loss)` for {name!r}. Received: "
                f"{_describe(pair)}"
            )
        weight, loss = pair[0], ops.cast(pair[1], "float32")
        if len(loss.shape):
            raise InputError(
                f"{owner}.{HOOK} must return a scalar loss for {name!r}. Received the shape "
                f"{tuple(loss.shape)}; take its mean."
            )
        logs[name] = loss
        total += weight * loss
    return total


def _describe(value):
    if keras.ops.is_tensor(value):
        return f"a tensor of shape {tuple(value.shape)}"
    return "None; does it lack a `return`?" if value is None else repr(value)
