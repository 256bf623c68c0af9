"""Datasets read batch by batch, with a progress bar."""

import keras


def iterate_inputs(dataset, verbose: int = 0, title: str = ""):
    """Yields `(inputs, targets)` of a dataset, with a progress bar if asked.

    Args:
        dataset: iterable of inputs (a tensor, or a dict of `images` and `valid`), or of tuples
            that begin with inputs and targets.
        verbose: 0 or 1.
        title: str. Shown above the progress bar.

    Yields:
        inputs, targets: as in the dataset; targets are None where there are none.
    """
    progress = None
    if verbose:
        try:
            count = len(dataset)
        except TypeError:  # a generator, or a dataset of unknown length
            count = None
        print(title)
        progress = keras.utils.Progbar(count, unit_name="batch")
    for element in dataset:
        if isinstance(element, tuple):
            yield element[0], element[1] if len(element) > 1 else None
        else:
            yield element, None
        if progress is not None:
            progress.add(1)
