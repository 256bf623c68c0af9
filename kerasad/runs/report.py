"""The verb `report`: a run on one page."""

import dataclasses
from pathlib import Path

from kerasad.data.category import Category
from kerasad.data.labelled import without
from kerasad.data.split import LABELLED, read_split
from kerasad.detector import AnomalyDetector
from kerasad.report.build import write_report
from kerasad.runs.evaluate import open_test_data
from kerasad.runs.run import SPLIT, Run


def report_run(run: Run, beside: Run | None = None) -> Path:
    """Writes `report.html`; where images are missing, the page says so.

    Args:
        run: Run.
        beside: Run or None. Another run on the same images, to show its latent space too.

    Returns:
        Path of the page.
    """
    data = (run.metrics or {}).get("data") or run.config.data.path

    def load_data(detector: AnomalyDetector) -> Category:
        category = open_test_data(run, detector, data)
        if beside is not None:  # images that the other run learned from are no test images either
            labelled = read_split(beside.part(SPLIT))[LABELLED]
            test = without(category.index.test, labelled)
            category.index = dataclasses.replace(category.index, test=test)
        return category

    return write_report(run, load_data, beside)
