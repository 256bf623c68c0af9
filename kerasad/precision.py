"""The dtype policy that new layers get."""

import contextlib

import keras


@contextlib.contextmanager
def dtype_policy_scope(policy):
    """Makes `policy` (a name or a `keras.DTypePolicy`) the default of layers made in the scope."""
    previous = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(previous)
