import csv
from pathlib import Path

import pytest

from kerasad.benchmark import published
from kerasad.benchmark.published import METRICS, category_names, load_published, load_sources


def find(method, source, metric):
    (entry,) = [
        entry
        for entry in load_published()
        if (entry.method, entry.source.name, entry.metric) == (method, source, metric)
    ]
    return entry


def test_cavgas_tables_are_those_of_the_paper():
    iou = find("CAVGA-R_u", "cavga", "iou")
    assert (iou.categories["bottle"], iou.categories["screw"], iou.mean) == (0.34, 0.48, 0.47)
    assert find("CAVGA-D_u", "cavga", "iou").categories["leather"] == 0.76
    assert find("CAVGA-R_w", "cavga", "iou").categories["hazelnut"] == 0.79
    assert find("LSA", "cavga", "iou").categories["carpet"] == 0.76
    accuracy = find("CAVGA-D_u", "cavga", "balanced_accuracy")
    assert (accuracy.categories["metal_nut"], accuracy.mean) == (0.67, 0.78)
    assert find("CAVGA-R_u", "cavga", "pixel_auroc").mean == 0.89


@pytest.mark.parametrize(
    ("method", "source", "values"),
    [
        ("PatchCore, WideResNet-50", "patchcore", (0.992, 0.981, 0.944, None)),
        ("PatchCore, ResNet-18", "anomalib", (0.973, 0.976, None, None)),
        ("PatchCore", "ader", (0.988, 0.983, 0.942, 0.449)),
        ("EfficientAD-S", "efficientad", (0.988, None, None, None)),
        ("EfficientAD-M", "efficientad", (0.991, None, 0.935, None)),
        ("SPADE", "spade", (0.855, 0.965, 0.917, None)),
        ("VAE, ResNet-18 encoder", "padim", (None, 0.744, 0.642, None)),
        ("RIAD", "riad", (0.917, 0.942, None, None)),
        ("DiAD", "ader", (0.889, 0.893, 0.639, 0.211)),
    ],
)
def test_means_are_those_that_were_published(method, source, values):
    found = {
        entry.metric: entry.mean
        for entry in load_published()
        if (entry.method, entry.source.name) == (method, source)
    }
    names = ("image_auroc", "pixel_auroc", "aupro", "iou_oracle")
    assert tuple(found.get(name) for name in names) == values


def test_categories_of_autoencoders_are_those_that_were_published():
    assert find("AE_SSIM", "spade", "pixel_auroc").categories["bottle"] == 0.93
    assert find("AE_L2", "spade", "pixel_auroc").categories["tile"] == 0.51
    assert find("VAE", "spade", "aupro").categories["grid"] == 0.224
    assert find("RIAD", "riad", "image_auroc").categories["zipper"] == 0.981


def test_published_means_are_those_of_the_published_categories():
    # An independent check of every cell: a slip of a digit moves a mean.
    for entry in load_published():
        if entry.mean is not None and entry.categories:
            assert set(entry.categories) == set(category_names()), entry
            mean = sum(entry.categories.values()) / 15
            assert mean == pytest.approx(entry.mean, abs=0.0051), entry


def test_every_number_has_a_source_and_was_found_in_public():
    entries = load_published()
    keys = [(entry.method, entry.source.name, entry.metric) for entry in entries]
    assert len(set(keys)) == len(keys)
    assert {entry.source.name for entry in entries} == {source.name for source in load_sources()}
    for entry in entries:
        assert entry.metric in METRICS
        assert entry.mean is not None or entry.categories
        assert all(0 <= v <= 1 for v in (entry.mean or 0.0, *entry.categories.values()))
        assert entry.source.year or "commit" in entry.source.reference
    with Path(published.__file__).with_name("published.csv").open() as file:
        assert {line["evidence"] for line in csv.DictReader(file)} == {"F"}
    assert len(category_names()) == 15


def test_the_numbers_are_installed_with_the_package():
    settings = Path(__file__).parents[2] / "setup.cfg"
    assert "kerasad.benchmark = *.csv" in settings.read_text().splitlines()
