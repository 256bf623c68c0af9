"""A histogram of unbounded scores whose resolution adapts and whose memory does not grow."""

import keras
from keras import ops

from kerasad.errors import InputError

FREE_SLOT = 2**31 - 1  # above the key of every score
INFINITY_KEY = 0x7F800000
NAN_KEY = 0x7FC00000
# Fewer slots would let bins widen until infinity, NaN and the free slots run together.
MINIMUM_CAPACITY = 4096


def score_to_key(scores):
    """Returns integers in the same order as the scores: `a < b` exactly if `key(a) < key(b)`.

    Read as an integer, a float >= 0 already grows with its value; one below 0 grows with its
    magnitude, so its 31 lower bits are flipped. -0.0 gets the key of 0.0; every NaN gets one
    key above infinity.

    Args:
        scores: float tensor or array of any shape; computed in float32.

    Returns:
        keys: int32 tensor of the same shape.
    """
    bits = _reinterpret(ops.cast(scores, "float32"), "int32")
    keys = ops.where(bits < 0, ops.bitwise_xor(bits, 0x7FFFFFFF), bits)
    # On integers, since compilers may drop `x + 0.0` and the processor may flush tiny floats.
    keys = ops.where(keys == -1, 0, keys)
    return ops.where(ops.bitwise_and(bits, 0x7FFFFFFF) > INFINITY_KEY, NAN_KEY, keys)


def key_to_score(keys):
    """Returns the float32 scores of int32 `keys`: the inverse of `score_to_key`."""
    keys = ops.cast(keys, "int32")
    return _reinterpret(ops.where(keys < 0, ops.bitwise_xor(keys, 0x7FFFFFFF), keys), "float32")


def _reinterpret(tensor, dtype):
    # `ops.view` needs a known last axis, which may be open in a graph; so one of size 1 is added.
    return ops.squeeze(ops.view(ops.expand_dims(tensor, -1), dtype), -1)


def key_to_bin(keys, shift):
    """Returns the lower edge, itself a key, of the bin of width `2^shift` keys around each key."""
    return ops.bitwise_and(keys, ops.left_shift(ops.full_like(keys, -1), shift))


def bin_to_score(bins, shift):
    """Returns the largest float32 score that falls into each bin (see `key_to_bin`).

    The upper edge, so that no score counted in the bin is strictly above it.
    """
    widest = ops.bitwise_not(ops.left_shift(ops.full_like(bins, -1), shift))
    upper = ops.bitwise_or(bins, widest)
    upper = ops.where(bins <= INFINITY_KEY, ops.minimum(upper, INFINITY_KEY), NAN_KEY)
    return key_to_score(upper)


def compact_bins(keys, counts, shift, capacity: int):
    """Merges equal bins, after widening all until they fit into `capacity` slots.

    The width found is the smallest that fits, and narrower scores never need a wider one; so a
    histogram filled in pieces ends up equal to one filled at once.

    Args:
        keys: int32 tensor `(entries,)`, in any order; `FREE_SLOT` where there is no score.
        counts: float64 tensor `(entries, channels)`.
        shift: int32 scalar tensor. Binary logarithm of the width so far, in keys.
        capacity: int. Number of slots.

    Returns:
        bins: int32 tensor `(capacity,)`, ascending, `FREE_SLOT` at the end.
        counts: float64 tensor `(capacity, channels)`.
        shift: int32 scalar tensor.
    """
    order = ops.argsort(keys)
    keys = ops.take(keys, order, axis=0)
    # Two keys share a bin exactly if they agree in all bits from `shift` upwards.
    change = ops.bitwise_xor(keys[1:], keys[:-1])

    def steps(shift):
        return ops.cast(key_to_bin(change, shift) != 0, "int32")

    shift = ops.while_loop(
        lambda shift: ops.sum(steps(shift)) >= capacity, lambda shift: (shift + 1,), (shift,)
    )[0]
    slots = ops.concatenate([ops.zeros((1,), "int32"), ops.cumsum(steps(shift))])
    counts = ops.segment_sum(ops.take(counts, order, axis=0), slots, capacity)
    bins = ops.segment_max(key_to_bin(keys, shift), slots, capacity)
    bins = ops.where(ops.arange(capacity, dtype="int32") <= slots[-1], bins, FREE_SLOT)
    # Widening rounds the marker of free slots down too; this restores its value.
    return ops.where(bins > NAN_KEY, FREE_SLOT, bins), counts, shift


@keras.saving.register_keras_serializable(package="kerasad")
class ScoreHistogram(keras.layers.Layer):
    """Counts float32 scores of any range in constant memory; it is updated, not called.

    Only occupied bins take a slot. Up to `capacity - 1` different scores have a slot each, and all
    results are exact. With more, bins widen to `2^shift` neighbouring floats, that is to a relative
    width of `2^(shift - 23)`: the upper bits of an order-preserving integer key. So 65536 slots
    tell 1000.0 from 1000.0001 when all scores lie between 1000 and 1000.5 (8192 floats), and keep a
    relative width of about 1e-4 over scores of all magnitudes.

    Args:
        channels: int. Number of counts kept for every bin, such as normal and anomalous pixels.
        capacity: int >= 4096. Number of slots; memory is `capacity * (4 + 8 * channels)` bytes.

    Example:

    >>> histogram = ScoreHistogram()
    >>> histogram.update([0.5, -2.0, 7.0, 0.5])
    >>> float(histogram.quantile(0.75))
    0.5
    """

    def __init__(self, channels: int = 1, capacity: int = 2**16, **kwargs):
        super().__init__(**{"trainable": False, **kwargs})
        if capacity < MINIMUM_CAPACITY:
            raise InputError(f"`capacity` must be at least {MINIMUM_CAPACITY}, not {capacity}.")
        self.channels = int(channels)
        self.capacity = int(capacity)
        free = keras.initializers.Constant(FREE_SLOT)
        options = {"trainable": False, "autocast": False}
        self.bins = self.add_weight((capacity,), free, dtype="int32", name="bins", **options)
        # float64 counts whole pixels exactly up to 9e15, and holds fractions of regions as well.
        self.counts = self.add_weight(
            (capacity, channels), "zeros", dtype="float64", name="counts", **options
        )
        self.shift = self.add_weight((), "zeros", dtype="int32", name="shift", **options)
        self.built = True

    def update(self, values, weights=None) -> None:
        """Counts `values`.

        Args:
            values: float tensor of any shape; NaN is counted separately, above infinity.
            weights: tensor of the shape of `values`, followed by `channels` if there are several,
                >= 0. A value whose weights are all 0 leaves no trace. Defaults to 1.
        """
        keys = score_to_key(ops.ravel(values))
        if weights is None:
            weights = ops.ones((ops.shape(keys)[0], self.channels), "float64")
        weights = ops.reshape(ops.cast(weights, "float64"), (-1, self.channels))
        keys = ops.where(ops.any(weights != 0, axis=-1), keys, FREE_SLOT)
        self._add([keys], [weights], ops.convert_to_tensor(self.shift))

    def merge(self, *others: "ScoreHistogram") -> None:
        """Adds the counts of other histograms with as many channels."""
        shift = ops.convert_to_tensor(self.shift)
        for other in others:
            shift = ops.maximum(shift, other.shift)
        self._add([other.bins for other in others], [other.counts for other in others], shift)

    def _add(self, keys, weights, shift):
        keys = ops.concatenate([self.bins, *keys])
        counts = ops.concatenate([self.counts, *weights])
        bins, counts, shift = compact_bins(keys, counts, shift, self.capacity)
        self.bins.assign(bins)
        self.counts.assign(counts)
        self.shift.assign(shift)

    def reset(self) -> None:
        """Forgets all counts and returns to the finest bins."""
        self.bins.assign(ops.full((self.capacity,), FREE_SLOT, dtype="int32"))
        self.counts.assign(ops.zeros((self.capacity, self.channels), "float64"))
        self.shift.assign(ops.zeros((), "int32"))

    def scores(self):
        """Returns the largest score of each bin: float32 `(capacity,)`, NaN for free slots."""
        return bin_to_score(ops.convert_to_tensor(self.bins), ops.convert_to_tensor(self.shift))

    def has_nan(self):
        """Returns whether a NaN was counted: bool scalar tensor."""
        nan_bin = key_to_bin(ops.full((), NAN_KEY, dtype="int32"), self.shift)
        return ops.any(ops.equal(self.bins, nan_bin))

    def quantile(self, q: float, channel: int = 0):
        """Returns the smallest score with at least the share `q` of the counts at or below it.

        Rounded up to the edge of its bin: the share strictly above is never more than `1 - q`.

        Args:
            q: float in [0, 1].
            channel: int. Which of the counts.

        Returns:
            score: float32 scalar tensor; NaN if nothing was counted.
        """
        if not 0.0 <= q <= 1.0:
            raise InputError(f"`q` must be between 0 and 1, not {q}.")
        counts = ops.cumsum(self.counts[:, channel])
        # The product may exceed a whole count by a rounding error; and q = 0 means the smallest
        # score, not an empty bin below it.
        wanted = ops.maximum(q * (1.0 - 1e-12) * counts[-1], 1e-300)
        position = ops.argmax(counts >= wanted)
        return ops.where(counts[-1] > 0, ops.take(self.scores(), position), float("nan"))

    def get_config(self):
        """Returns the arguments of `__init__`."""
        return {**super().get_config(), "channels": self.channels, "capacity": self.capacity}
