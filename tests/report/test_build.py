import builtins
import json
import re

import numpy as np
import pytest

from kerasad.errors import InputError
from kerasad.report.build import RunView, build_report
from kerasad.report.images import ShownImages
from kerasad.report.page import check_report_possible


def data_of(page):
    text = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.S)
    return json.loads(text[1])


def test_the_page_holds_everything_and_needs_nothing(build, make_facts, detector, category):
    facts = make_facts(detector, notes=["calibrated again"], command="kerasad train photos/bottle")
    page = build(detector, category, facts).html

    for text in (
        "2 of 3 defective images were found, 1 was missed.",
        "None of 3 good images raises a false alarm.",
        "at most 4.8 % raise a false alarm",
        "0.700 to 1.000 (95 % interval)",
        "0.200",  # IoU at the threshold in force
        "0.500 at the threshold that is best here",
        "calibrated again",
        "kerasad train photos/bottle",
        "Latent means of the encoder",
        "Synthetic defects on validation images",
    ):
        assert text in page
    for chart in ("roc", "pr", "pixel_roc", "pixel_pr", "pro"):
        assert f'data-chart="{chart}"' in page
    # Nothing is fetched: no address but data, and the browser is told to allow no other.
    assert set(re.findall(r'(?:src|href)="([^"#]+)', page)) == {"data:,"}
    assert "default-src 'none'" in page
    assert "http:" not in page.replace("http://www.w3.org/2000/svg", "")
    # Text from files is escaped.
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert" in page


def test_an_image_has_its_pictures_in_a_fixed_order_and_its_numbers(build, detector, category):
    run = data_of(build(detector, category).html)["runs"][0]
    miss = run["rows"][0]
    assert miss["n"] == "test/cut/001.png"  # the only error comes first
    kinds = ["input", "overlay", "map", "mask", "reconstruction", "attention"]
    assert list(miss["p"]) == [*kinds, "expert residual", "expert inattention"]
    assert miss["u"] == pytest.approx(0.0)
    assert [row["n"] for row in run["rows"] if "mask" not in row["p"]] == [
        row["n"] for row in run["rows"] if "good" in row["n"] or "stain" in row["n"]
    ]
    assert run["threshold"] == 3.0
    assert len(run["rates"]) == 21
    assert run["ask"][0] == 0.04762


def test_programs_get_the_same_numbers(build, detector, category):
    report = build(detector, category)
    summary = report.summary["runs"][0]
    assert json.loads(json.dumps(summary)) == json.loads(json.dumps(summary, allow_nan=False))
    images = summary["images"]
    assert (images["misses"], images["defective"], images["false_alarms"]) == (1, 3, 0)
    assert [row["decision"] for row in report.rows] == [
        *("good", "good", "defective", "good", "defective", "good")
    ]
    assert report.rows[2]["iou"] == pytest.approx(1.0)
    assert report.rows[4]["iou"] is None


def test_several_runs_are_compared(make_facts, make_detector, category):
    views = []
    for name in ("first", "second"):
        detector = make_detector()
        facts = make_facts(detector, name)
        shown = ShownImages(category)
        views.append(RunView(facts, detector, lambda shown=shown: shown, lambda: None))
    report = build_report(views, 2)
    assert "Runs side by side" in report.html
    assert "different images" not in report.html
    assert report.html.count('class="latent"') == 2
    assert {row["run"] for row in report.rows} == {"first", "second"}
    assert len(data_of(report.html)["runs"]) == 2


def test_good_photos_alone_have_pictures_the_unusual_first(build, detector, make_category):
    category = make_category([0.5, 0.55, 0.6, 0.52])
    category.index.test = category.index.test[:4]
    odd = category.index.test[1].content_hash
    remarks = {odd: {"text": "left-out score 2", "overlay": None}}
    report = build(detector, category, are_tests=False, note="no test image", remarks=remarks)
    assert "nothing is known of errors" in report.html
    assert "no test image" in report.html
    assert "no ROC curve without both" in report.html
    rows = data_of(report.html)["runs"][0]["rows"]
    assert rows[0]["x"] == "left-out score 2"
    assert all("overlay" in row["p"] for row in rows)


def test_a_model_that_trains_nothing_has_no_reconstruction_and_shows_features(
    build, make_detector, category
):
    detector = make_detector("features", reconstructs=False)
    page = build(detector, category, history=lambda: None).html
    assert "reconstruction" not in data_of(page)["runs"][0]["rows"][0]["p"]
    assert "Features of the backbone" in page
    assert "no history.csv" in page
    assert "None epochs" not in page


def test_a_model_without_latent_and_features_has_no_t_sne(build, make_detector, category):
    page = build(make_detector("other"), category).html
    assert "neither a latent nor features" in page
    assert 'data-chart="roc"' in page


def test_missing_images_leave_the_rest_of_the_page(build, detector):
    page = build(detector).html
    assert "Images cannot be shown. photos/bottle: there is no such folder." in page
    assert "0.875" in page
    assert 'data-chart="roc"' not in page


def test_a_run_without_evaluation_says_what_to_do(build, make_facts, detector):
    assert (
        "run `kerasad evaluate`" in build(detector, facts=make_facts(detector, metrics=None)).html
    )


def test_a_damaged_history_leaves_the_rest_of_the_page(build, detector):
    def damaged():
        raise InputError("history.csv, line 2: junk.")

    page = build(detector, history=damaged).html
    assert "The curves cannot be shown. history.csv, line 2: junk." in page
    assert "0.875" in page


@pytest.mark.parametrize(("steps", "is_told"), [(200, True), (0, False)])
def test_losses_that_differ_in_the_weight_of_a_term_are_told_apart(build, detector, steps, is_told):
    detector.model.warmup_steps = steps
    assert (f"During its first {steps} steps" in build(detector).html) == is_told


def test_the_page_of_any_number_of_images_stays_small(build, detector, make_category, monkeypatch):
    """Of 40 noisy images, 12 have pictures, and these are as coarse as the page needs."""
    monkeypatch.setattr("kerasad.report.images.MAX_PICTURES", 12)
    monkeypatch.setattr("kerasad.report.build.PAGE_BYTES", 1_100_000)
    category = make_category(np.linspace(0.3, 1.0, 40).tolist(), batch_size=20)
    noise = np.random.default_rng(0).random(category.images.shape, "float32")
    category.images = 0.7 * category.images + 0.3 * noise
    page = build(detector, category).html
    rows = data_of(page)["runs"][0]["rows"]
    assert len(rows) == 40
    pictures = [sum(map(len, row["p"].values())) for row in rows if "p" in row]
    assert len(pictures) == 12
    assert 100_000 < sum(pictures) < 300_000
    assert len(page) < 1_100_000


def test_a_missing_extra_is_one_sentence(monkeypatch):
    original = builtins.__import__

    def without_jinja2(name, *args, **kwargs):
        if name == "jinja2":
            raise ImportError("No module named 'jinja2'", name="jinja2")
        return original(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without_jinja2)
    with pytest.raises(InputError, match=r"needs jinja2, .*\.\[report\]"):
        check_report_possible()
