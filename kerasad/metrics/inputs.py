"""What every metric does with its arguments before it counts."""

from keras import ops

from kerasad.errors import InputError


def align_inputs(y_true, y_pred, sample_weight=None):
    """Brings labels, scores and weights to one shape.

    Args:
        y_true: tensor of the shape of `y_pred`, up to a last axis of 1; above 0.5 = anomalous.
        y_pred: float tensor, for instance `(batch,)` or `(batch, height, width, 1)`.
        sample_weight: optional tensor >= 0 that broadcasts to `y_pred` from the left: one weight
            an image, or one a pixel such as `valid` (0 = padding, counts nowhere).

    Returns:
        anomalous: bool tensor of the shape of `y_pred`.
        scores: float32 tensor.
        weights: float64 tensor of the same shape.

    Raises:
        InputError: If the shapes of `y_true` and `y_pred` differ.
    """
    scores = ops.cast(y_pred, "float32")
    shape = ops.shape(scores)
    y_true = _match_rank(ops.convert_to_tensor(y_true), len(shape))
    known = zip(y_true.shape, scores.shape, strict=False)
    clash = any(a != b for a, b in known if a is not None and b is not None)
    if len(y_true.shape) != len(shape) or clash:
        raise InputError(
            f"`y_true` has shape {tuple(y_true.shape)} and `y_pred` {tuple(scores.shape)}; "
            "give one label for each score."
        )
    if sample_weight is None:
        weights = ops.ones(shape, "float64")
    else:
        weights = _match_rank(ops.cast(sample_weight, "float64"), len(shape))
        weights = ops.broadcast_to(weights, shape)
    return ops.cast(y_true, "float32") > 0.5, scores, weights


def _match_rank(tensor, rank):
    while len(tensor.shape) < rank:
        tensor = ops.expand_dims(tensor, -1)
    while len(tensor.shape) > rank and tensor.shape[-1] == 1:
        tensor = ops.squeeze(tensor, -1)
    return tensor
