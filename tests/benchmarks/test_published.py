import csv
import itertools
import json
import sys

import pytest

from kerasad.runs.benchmark_table import COUNTS, NUMBERS, build_table


@pytest.fixture
def published(load):
    return load("published")


@pytest.fixture
def find(published):
    def find(method, source, metric):
        entries = [(e.method, e.source, e.metric) for e in published.read_published()]
        return published.read_published()[entries.index((method, source, metric))]

    return find


def test_cavgas_tables_are_those_of_the_paper(find):
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
def test_means_are_those_that_were_published(method, source, values, published):
    found = {
        entry.metric: entry.mean
        for entry in published.read_published()
        if (entry.method, entry.source) == (method, source)
    }
    names = ("image_auroc", "pixel_auroc", "aupro", "iou_oracle")
    assert tuple(found.get(name) for name in names) == values


def test_categories_of_autoencoders_are_those_that_were_published(find):
    assert find("AE_SSIM", "spade", "pixel_auroc").categories["bottle"] == 0.93
    assert find("AE_L2", "spade", "pixel_auroc").categories["tile"] == 0.51
    assert find("VAE", "spade", "aupro").categories["grid"] == 0.224
    assert find("RIAD", "riad", "image_auroc").categories["zipper"] == 0.981


def test_published_means_are_those_of_the_published_categories(published):
    # An independent check of every cell: a slip of a digit moves a mean.
    for entry in published.read_published():
        if entry.mean is not None and entry.categories:
            assert list(entry.categories) == published.category_names(), entry
            mean = sum(entry.categories.values()) / 15
            assert mean == pytest.approx(entry.mean, abs=0.0051), entry


def test_every_number_has_a_source_and_was_found_in_public(published):
    entries, sources = published.read_published(), published.read_sources()
    keys = [(entry.method, entry.source, entry.metric) for entry in entries]
    assert len(set(keys)) == len(keys)
    assert {entry.source for entry in entries} == {*sources}
    for entry in entries:
        assert entry.metric in published.TITLES
        assert entry.mean is not None or entry.categories
        assert all(0 <= v <= 1 for v in (entry.mean or 0.0, *entry.categories.values()))
    for source in sources.values():
        assert source["year"] or "commit" in source["reference"]
    assert {line["evidence"] for line in published.read_csv("published.csv")} == {"F"}
    assert len(published.category_names()) == 15


def make_table(categories, models=("a", "b"), **values):
    """The table of one seed; `values` are those of bottle and the first model."""
    rows = {
        key: {
            "status": "done",
            "notes": {},
            **dict.fromkeys(NUMBERS, 0.5),
            **dict.fromkeys(COUNTS, 1),
            "image_size": [32, 64],
        }
        for key in itertools.product(categories, models, [0])
    }
    rows["bottle", models[0], 0] |= values
    return build_table(rows)


def read_cells(page, title):
    """The table under a title as dicts."""
    part = page[page.index(f"## {title}\n") :].split("\n\n")[1].splitlines()
    return [
        {name.strip(): cell.strip() for name, cell in row.items() if name is not None}
        for row in csv.DictReader([part[0], *part[2:]], delimiter="|")
    ]


def test_published_numbers_stand_beside_categories_of_their_name_alone(
    published, tmp_path, monkeypatch, capsys
):
    path = tmp_path / "benchmark.json"
    path.write_text(json.dumps(make_table(["bottle", "plate"], iou_per_image=0.375)))
    monkeypatch.setattr(sys, "argv", ["published.py", str(path)])
    published.main()
    page = (tmp_path / "published.md").read_text()
    assert page in capsys.readouterr().out
    (row,) = read_cells(page, "IoU, protocol not stated")
    assert row["category"] == "bottle"
    assert (row["a (best)"], row["a (per image)"]) == ("0.500", "0.375")
    assert row["CAVGA-R_u 2020 [1]"] == "0.340"
    assert "[1] Venkataramanan et al." in page
    assert "| EfficientAD-M " in page
    assert "how it is pooled is not stated" in page
    assert "## IoU, protocol" not in published.format_page(
        make_table(["bottle", "plate"])
        | {
            "rows": [
                row for row in make_table(["bottle", "plate"])["rows"] if row["category"] == "plate"
            ]
        }
    )


def test_our_mean_stands_beside_published_ones_only_if_it_is_of_all_15_categories(published):
    names = published.category_names()
    # Bottle has no image AUROC, so its mean would be of 14.
    page = published.format_page(make_table(names, aupro=0.125, image_auroc=None))
    row = read_cells(page, "Means over MVTec AD")[0]
    assert (row["method"], row["source"], row["AUPRO"]) == ("a", "here", "0.475")
    assert row["image AUROC"] == row["IoU, protocol not stated"] == ""
    page = published.format_page(make_table(names[:14]))
    assert "here" not in {row["source"] for row in read_cells(page, "Means over MVTec AD")}
