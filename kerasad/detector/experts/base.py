"""The base class of anomaly-map experts."""

import inspect
from collections.abc import Sequence
from typing import Any

import keras

from kerasad.errors import InputError


class Expert(keras.layers.Layer):
    """Turns named tensors of a model into a map, larger = more anomalous.

    An expert declares in `requires` the tensors that it reads and does not know the model. An
    expert that learns from good images sets `passes` and overrides `start`, `update`, `finish` and
    `forget`. `update` sees each batch once and keeps state of a fixed size. Crosswise calibration
    gathers from parts of the images separately: `resume` continues with one part, and `absorb`
    merges several. An expert that defines these sets `absorbs`. An update continues from the learnt
    state by `recall`. Every argument of `__init__` must be an attribute of the same name.

    Args:
        position_free: bool. Whether one position shows different things in different images (crops,
            tiles, padded images), so that the expert must not learn by position.

    Call arguments:
        tensors: dict of float32 tensors, see `AnomalyModel.tensors`.

    Returns:
        anomaly_map: float32 tensor `(batch, h, w, 1)` at the expert's own resolution.
    """

    requires: tuple[str, ...] = ()
    """Names of the tensors that the expert reads."""
    passes = 0
    """Passes over the good images that the expert needs."""
    absorbs = False
    """Whether the expert defines `gathered`, `resume` and `absorb`."""
    knows_places = True
    """Whether what is usual at a place counts in the anomaly map, see `MapCalibration`."""

    def __init__(self, position_free: bool = False, **kwargs):
        # Half precision has too few digits for distances.
        super().__init__(**{"trainable": False, "dtype": "float32", **kwargs})
        self.position_free = position_free

    @property
    def degrees(self) -> int:
        """Approximate number of independent values in a distance; 0 if unknown, see `fuse`."""
        return 0

    @property
    def rates_images(self) -> bool:
        """Whether the maximum of a map alone tells if an image is defective, see `fuse`.

        It does if a network has learnt what good images are, whatever a defect looks like.
        """
        return False

    @property
    def vote(self) -> float:
        """How much it counts before anything is measured, where no expert knows `degrees`.

        Each of two trained players has one vote: encoder and decoder say what they do not restore,
        in pixels and in structure, the discriminator what it rejects.
        """
        return 0.0

    def available(self, shapes: dict) -> bool:
        """Returns whether a model with tensors of these shapes can serve the expert."""
        return all(name in shapes for name in self.requires)

    def start(self, pass_index: int, stream: int = 0) -> None:
        """Begins to gather; called before each pass.

        Args:
            pass_index: int, from 0.
            stream: int. Differs between parts that are absorbed together, so that their random
                choices are independent.
        """

    def update(self, tensors: dict, weights, pass_index: int) -> None:
        """Learns from a batch of good images.

        Args:
            tensors: as in `call`.
            weights: function from a grid `(h, w)` to float32 `(batch, h, w)`, 1 for cells
                that count and 0 for those with padding or outside a region of interest.
            pass_index: int, from 0.
        """

    def finish(self, pass_index: int) -> None:
        """Turns what was gathered into the state that `call` reads."""

    @property
    def gathered(self) -> Any:
        """What was gathered since `start`; each `update` adds to it."""
        raise NotImplementedError

    def resume(self, gathered: Any) -> None:
        """Lets the next `update` add to what was `gathered` before."""
        raise NotImplementedError

    def absorb(self, parts: Sequence[Any]) -> None:
        """Merges what experts of the same kind `gathered` from other images."""
        raise NotImplementedError

    def recall(self) -> None:
        """Begins to gather from the learnt state, in place of `start`.

        Raises:
            InputError: The expert keeps too little of the former images.
        """
        raise InputError(
            f"The expert {self.name!r} cannot learn from new images without the former ones: "
            "train on all of them."
        )

    def forget(self) -> None:
        """Frees what was gathered; called after the last `finish`."""

    def get_config(self):
        """Returns the arguments of `__init__`."""
        own = ["position_free", *inspect.signature(type(self).__init__).parameters]
        own = [name for name in own if name not in ("self", "kwargs")]
        return {**super().get_config(), **{name: getattr(self, name) for name in own}}
