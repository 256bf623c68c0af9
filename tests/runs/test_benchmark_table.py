import itertools

import pytest

from kerasad.runs.benchmark_table import COUNTS, NUMBERS, build_table, format_table, markdown_table

CATEGORIES, MODELS, SEEDS = ["bottle", "plate"], ["a", "b"], [0, 1]


def done(**values):
    row = {"status": "done", "notes": {}, **dict.fromkeys(NUMBERS, 0.5), **values}
    counts = {"train_images": 7, "good_images": 10, "image_size": [32, 64]}
    return {**counts, **row}


def summarize(changes):
    """The table of two categories, two models and two seeds, with these rows."""
    rows = {key: done() for key in itertools.product(CATEGORIES, MODELS, SEEDS)}
    return build_table({**rows, **changes})


def test_scores_are_means_over_seeds_and_then_over_categories():
    table = summarize(
        {
            ("bottle", "a", 0): done(aupro=0.75),
            ("bottle", "a", 1): done(aupro=1.0),
            ("plate", "a", 0): done(aupro=0.5, fit_seconds=4.0),
            ("plate", "a", 1): done(aupro=0.125, fit_seconds=8.0),
        }
    )
    first = table["rows"][0]
    assert (first["category"], first["model"], first["seeds"]) == ("bottle", "a", [0, 1])
    assert first["aupro"] == {"mean": 0.875, "lowest": 0.75, "highest": 1.0}
    assert {name: first[name] for name in COUNTS} == {
        "train_images": 7,
        "good_images": 10,
        "image_size": [32, 64],
    }
    plate = table["rows"][2]
    assert plate["aupro"] == {"mean": 0.3125, "lowest": 0.125, "highest": 0.5}
    assert plate["fit_seconds"]["mean"] == 6.0
    mean, other = table["means"]
    # Seed 0: (.75 + .5) / 2; seed 1: (1 + .125) / 2.
    assert mean["aupro"] == {"mean": 0.59375, "lowest": 0.5625, "highest": 0.625}
    assert mean["categories"]["aupro"] == 2
    assert other["aupro"]["mean"] == 0.5
    assert table["notes"] == []


def test_a_collapsed_model_is_named_beside_its_numbers():
    dead = done(collapses=["The latent collapsed."])
    table = summarize({("plate", "b", 0): dead, ("plate", "b", 1): dead})
    assert table["notes"] == ["plate, b, seeds 0, 1: The latent collapsed."]
    assert table["rows"][3]["aupro"]["mean"] == 0.5


def test_what_is_undefined_is_none_and_its_reason_is_said_once_for_all_seeds():
    reasons = {"notes": {"aupro": "no mask", "iou_oracle": "no mask", "image_auroc": "no good"}}
    empty = done(aupro=None, iou_oracle=None, **reasons)
    table = summarize(
        {
            ("plate", "b", 0): empty,
            ("plate", "b", 1): {**empty, "image_auroc": None},
        }
    )
    row = table["rows"][3]
    assert row["aupro"] is None
    assert row["image_auroc"] == {"mean": 0.5, "lowest": 0.5, "highest": 0.5}
    mean = table["means"][1]
    assert mean["aupro"]["mean"] == 0.5
    # One seed has no mean over both categories, so there is no range over seeds.
    assert mean["image_auroc"] == {"mean": 0.5, "lowest": None, "highest": None}
    assert table["notes"] == [
        "plate, b, seeds 0, 1: aupro, iou_oracle: no mask",
        "plate, b, seed 1: image_auroc: no good",
        "mean of b: aupro, iou_oracle over 1 of 2 categories",
    ]


def test_failed_and_missing_rows_leave_the_others_standing():
    failed = {"status": "failed", "reason": "kl_loss is no number."}
    changes = {("bottle", "a", 0): failed, ("bottle", "a", 1): done(aupro=0.25)}
    table = summarize({**changes, ("plate", "b", 0): failed, ("plate", "b", 1): None})
    assert table["rows"][0]["seeds"] == [1]
    assert table["rows"][0]["aupro"] == {"mean": 0.25, "lowest": 0.25, "highest": 0.25}
    assert table["rows"][3]["seeds"] == []
    assert table["rows"][3]["aupro"] is None
    assert table["rows"][3]["image_size"] is None
    assert table["notes"][:3] == [
        "bottle, a, seed 0: failed: kl_loss is no number.",
        "plate, b, seed 0: failed: kl_loss is no number.",
        "plate, b, seed 1: not measured yet",
    ]


def test_a_model_without_any_value_has_no_mean():
    table = summarize(dict.fromkeys(itertools.product(CATEGORIES, ["b"], SEEDS)))
    assert table["means"][1]["aupro"] is None
    assert table["means"][1]["categories"]["aupro"] == 0


def cells(page):
    """The cells of the first table of a page, by its first two columns."""
    lines = [line for line in page.split("\n\n")[0].splitlines()]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return {tuple(row[:2]): dict(zip(rows[0], row, strict=True)) for row in rows[2:]}


def test_the_page_shows_means_with_ranges_and_leaves_undefined_cells_empty():
    table = summarize(
        {
            ("bottle", "a", 0): done(aupro=0.75, fit_seconds=1.0, model_mb=2.25),
            ("bottle", "a", 1): done(aupro=1.0, fit_seconds=2.0, model_mb=2.25),
            ("plate", "b", 0): done(aupro=None),
            ("plate", "b", 1): done(aupro=None),
        }
    )
    rows = cells(format_table(table))
    assert list(rows) == [
        ("bottle", "a"),
        ("bottle", "b"),
        ("plate", "a"),
        ("plate", "b"),
        ("mean of 2", "a"),
        ("mean of 2", "b"),
    ]
    first = rows["bottle", "a"]
    assert first["AUPRO ↑"] == "0.875 (0.750..1.000)"
    assert first["fit s ↓"] == "1.5"
    assert first["model MB ↓"] == "2.2"
    assert first["trained on"] == "7 of 10"
    assert first["image size"] == "32x64"
    assert rows["plate", "b"]["AUPRO ↑"] == ""
    assert rows["mean of 2", "a"]["AUPRO ↑"] == "0.688 (0.625..0.750)"


def test_one_seed_has_no_range():
    table = build_table({("plate", "a", 3): done()})
    page = format_table(table)
    assert cells(page)["plate", "a"]["AUPRO ↑"] == "0.500"
    assert "Seed 3." in page
    assert ".." not in page


def test_a_table_is_markdown_with_columns_of_one_width():
    lines = markdown_table(["a", "long title"], [["value", ""], ["", "x"]]).splitlines()
    assert lines == [
        "| a     | long title |",
        "| ----- | ---------- |",
        "| value |            |",
        "|       | x          |",
    ]
    with pytest.raises(ValueError, match="zip"):
        markdown_table(["a"], [["value", "too many"]])
