"""What an anomaly-map expert is."""

import keras


class Expert(keras.layers.Layer):
    """Turns named tensors of a model into a map, larger = more anomalous.

    An expert declares in `requires` the tensors that it reads, never which model made them. One
    that learns from good images overrides `start`, `update` and `finish`; `update` sees each batch
    once, and what it keeps has a size that does not depend on the number of images.

    Args:
        position_free: bool. Whether the same place of two images may show different things
            (crops, tiles, padded images), so that nothing may be learnt by position.

    Call arguments:
        tensors: dict of float32 tensors, see `VAEGAN.tensors`.

    Returns:
        anomaly_map: float32 tensor `(batch, h, w, 1)` at the expert's own resolution.
    """

    requires: tuple[str, ...] = ()
    # Passes over the good images that `adapt` makes; 0 needs none.
    passes = 0

    def __init__(self, position_free: bool = False, **kwargs):
        kwargs.setdefault("dtype", "float32")  # distances drown in half precision
        super().__init__(**{"trainable": False, **kwargs})
        self.position_free = position_free

    @property
    def degrees(self) -> int:
        """About how many independent values a cell's distance sums up; 0 says nothing.

        See `kerasad.detector.fusion.fuse`.
        """
        return 0

    def available(self, shapes: dict) -> bool:
        """Returns whether a model with tensors of these shapes can serve the expert."""
        return all(name in shapes for name in self.requires)

    def start(self, pass_index: int) -> None:
        """Forgets what was learnt; called before each pass."""

    def update(self, tensors: dict, weights, pass_index: int) -> None:
        """Takes in a batch of good images.

        Args:
            tensors: as of `call`.
            weights: function from a grid `(h, w)` to float32 `(batch, h, w)`, 1 for cells of
                real pixels and 0 for those with padding.
            pass_index: int, from 0.
        """

    def finish(self, pass_index: int) -> None:
        """Turns what the pass collected into what `call` reads."""

    def get_config(self):
        """Returns the arguments of `__init__`."""
        return {**super().get_config(), "position_free": self.position_free}
