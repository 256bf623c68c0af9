"""The base class of anomaly-map experts."""

import inspect
from collections.abc import Sequence
from typing import Any

import keras

from kerasad.errors import InputError


class Expert(keras.layers.Layer):
    """Turns named tensors of a model into a map, larger = more anomalous.

    An expert declares in `requires` the tensors that it reads, never which model made them. One
    that learns from good images sets `passes` and overrides `start`, `update`, `finish` and
    `forget`. `update` sees each batch once, and what it keeps has a size that does not depend on
    the number of images. Crosswise calibration gathers parts of the images apart: with `resume`, an
    expert of one pass goes on with any of the parts, and with `absorb` it takes in several. With
    `recall` it goes on from what it has learnt, which an update needs. Every argument of `__init__`
    must be an attribute of the same name.

    Args:
        position_free: bool. Whether the same place of two images may show different things
            (crops, tiles, padded images), so that nothing may be learnt by position.

    Call arguments:
        tensors: dict of float32 tensors, see `AnomalyModel.tensors`.

    Returns:
        anomaly_map: float32 tensor `(batch, h, w, 1)` at the expert's own resolution.
    """

    requires: tuple[str, ...] = ()
    """Names of the tensors that the expert reads."""
    passes = 0
    """Passes over the good images that the expert needs."""

    def __init__(self, position_free: bool = False, **kwargs):
        # Half precision has too few digits for distances.
        super().__init__(**{"trainable": False, "dtype": "float32", **kwargs})
        self.position_free = position_free

    @property
    def degrees(self) -> int:
        """About how many independent values a distance sums up; 0 if unknown, see `fuse`."""
        return 0

    @property
    def rates_images(self) -> bool:
        """Whether the largest value of a map says of itself if an image is defective, see `fuse`.

        So it does of an expert whose network has learnt from damage.
        """
        return False

    def available(self, shapes: dict) -> bool:
        """Returns whether a model with tensors of these shapes can serve the expert."""
        return all(name in shapes for name in self.requires)

    def start(self, pass_index: int, stream: int = 0) -> None:
        """Begins to gather; called before each pass.

        Args:
            pass_index: int, from 0.
            stream: int. Different for parts that shall be absorbed together, so that random choices
                are independent.
        """

    def update(self, tensors: dict, weights, pass_index: int) -> None:
        """Takes in a batch of good images.

        Args:
            tensors: as in `call`.
            weights: function from a grid `(h, w)` to float32 `(batch, h, w)`, 1 for cells of
                real pixels and 0 for those with padding.
            pass_index: int, from 0.
        """

    def finish(self, pass_index: int) -> None:
        """Turns what the pass collected into what `call` reads."""

    @property
    def gathered(self) -> Any:
        """What has been gathered since `start`; it grows with each `update`."""
        raise NotImplementedError

    def resume(self, gathered: Any) -> None:
        """Lets the next `update` add to what was `gathered` before."""
        raise NotImplementedError

    def absorb(self, parts: Sequence[Any]) -> None:
        """Adds what was `gathered` from other images, by experts of the same kind."""
        raise NotImplementedError

    def recall(self) -> None:
        """Begins to gather, instead of `start`, as if the images learnt from had just been given.

        Raises:
            InputError: The expert keeps too little of them.
        """
        raise InputError(
            f"The expert {self.name!r} cannot take up further images without the former ones: "
            "train with all of them."
        )

    def forget(self) -> None:
        """Frees what was gathered; called after the last `finish`."""

    def get_config(self):
        """Returns the arguments of `__init__`."""
        own = ["position_free", *inspect.signature(type(self).__init__).parameters]
        own = [name for name in own if name not in ("self", "kwargs")]
        return {**super().get_config(), **{name: getattr(self, name) for name in own}}
