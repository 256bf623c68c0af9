"""The order in which the two sides are measured."""

import itertools

from peers.table import ANOMALIB, KERASAD


def alternate(peers, models):
    """Returns each model once, anomalib's and kerasad's in turn."""
    pairs = itertools.zip_longest(peers, models)
    order = [turn for peer, ours in pairs for turn in ((ANOMALIB, peer), (KERASAD, ours))]
    return [(side, model) for side, model in order if model is not None]


def round_order(peers, models, number):
    """Returns a round of measurements of time: A B A B, and B A B A in the next one.

    The side with fewer models repeats them, so that each measurement of one side has one of the
    other beside it.
    """
    if not peers or not models:
        return alternate(peers, models)
    order = []
    for turn in range(max(len(peers), len(models))):
        pair = [(ANOMALIB, peers[turn % len(peers)]), (KERASAD, models[turn % len(models)])]
        order += pair[::-1] if number % 2 else pair
    return order
