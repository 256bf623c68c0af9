import builtins
import re
from dataclasses import replace
from types import SimpleNamespace

import pytest

from kerasad.errors import InputError
from kerasad.report.build import RunFacts, build_report, check_report_possible
from kerasad.training.config import DataConfig, RunConfig

METRICS = {
    "image_auroc": 0.875,
    "threshold": 3.0,
    "pixel_auroc": 0.93,
    "aupro": None,
    "iou_oracle": 0.5,
    "false_alarm_rate": {"requested": 0.05, "guaranteed": 0.0476, "observed": 0.0},
    "per_defect": {"cut": {"num_images": 2, "image_auroc": 1.0}},
    "image_size": [32, 48],
    "notes": {"aupro": "no mask, <script>alert(1)</script>"},
}
HISTORY = {
    "epoch": [1, 2],
    "loss": [2.0, 1.0],
    "encoder_loss": [1.0, 0.5],
    "val_encoder_loss": [2.0, 1.5],
    "discriminator_loss": [0.7, 0.6],
    "synthetic_iou": [0.1, 0.3],
    "seconds": [3.0, 3.0],
}
FACTS = RunFacts(
    name="bottle",
    config=RunConfig(DataConfig("photos/bottle")),
    calibration={"threshold": 3.0, "experts": {"residual": {"weight": 0.25, "score_weight": 0.5}}},
    metrics=METRICS,
    split_sizes={"train": 7},
    notes=["4 images guarantee 20 %"],
)


def no_folder():
    raise InputError("photos/bottle: there is no such folder.")


def build(detector, category=None, facts=FACTS, history=lambda: HISTORY, **options):
    load_data = no_folder if category is None else lambda: category
    return build_report(facts, detector, load_data, history, **options)


def test_the_page_holds_everything_and_needs_nothing(detector, category):
    page = build(detector, category)

    for text in ("0.875", "4 images guarantee 20 %", "test/cut/001.png", "Misses (1)", "residual"):
        assert text in page
    for alt in ("ROC curves", "Per-region overlap curve", "Histogram", "t-SNE", "overlay of test"):
        assert f'alt="{alt}' in page
    assert "synthetic defects over the epochs" in page
    assert "Latent means of the encoder" in page
    assert "to be reviewed" not in page.lower()
    addresses = re.findall(r'(?:src|href)="([^"]*)"', page)
    assert addresses
    assert all(address.startswith("data:image/png;base64,") for address in addresses)
    assert "http" not in re.sub(r'src="data:[^"]*"', "", page)
    # Text from files is escaped.
    assert "<script>" not in page
    assert "&lt;script&gt;" in page


def test_another_runs_latent_space_is_shown_beside(detector, category, make_detector):
    page = build(detector, category, beside={"cavga_d (other)": make_detector().model})
    assert page.count('alt="t-SNE') == 2
    assert "cavga_d (other)" in page


def test_a_run_on_images_of_another_size_is_not_shown_beside(detector, category):
    small = SimpleNamespace(image_shape=(8, 8, 3))
    with pytest.raises(InputError, match=r"cavga_d \(other\) works on images of \(8, 8\)"):
        build(detector, category, beside={"cavga_d (other)": small})


def test_a_model_that_trains_nothing_has_no_reconstruction_and_shows_features(
    make_detector, category
):
    detector = make_detector("features", reconstructs=False)
    page = build(detector, category, history=lambda: None)
    assert "The model makes no reconstruction" in page
    assert "<th>reconstruction</th>" not in page
    assert "Features of the backbone" in page
    assert "no history.csv" in page
    assert "None epochs" not in page


def test_a_model_without_latent_and_features_has_no_t_sne(make_detector, category):
    page = build(make_detector("other"), category)
    assert 'alt="t-SNE' not in page
    assert "neither a latent nor features" in page
    assert "ROC curves" in page


def test_missing_images_leave_the_rest_of_the_page(detector):
    page = build(detector)
    assert "photos/bottle: there is no such folder." in page
    assert "0.875" in page
    assert "ROC curves" not in page


def test_a_review_band_has_its_own_column_and_group(detector, category):
    detector.review_threshold = 0.4
    page = build(detector, category)
    assert '<th class="number">to be reviewed</th>' in page
    assert "To be reviewed (" in page


def test_a_run_without_evaluation_says_what_to_do(detector):
    assert "run `kerasad evaluate`" in build(detector, facts=replace(FACTS, metrics=None))


def test_a_damaged_history_leaves_the_rest_of_the_page(detector):
    def damaged():
        raise InputError("history.csv, line 2: junk.")

    page = build(detector, history=damaged)
    assert "The curves cannot be shown. history.csv, line 2: junk." in page
    assert "0.875" in page


@pytest.mark.parametrize(("steps", "is_told"), [(200, True), (0, False)])
def test_losses_that_differ_in_the_weight_of_a_term_are_told_apart(detector, steps, is_told):
    detector.model.warmup_steps = steps
    assert (f"During its first {steps} steps" in build(detector)) == is_told


def test_only_good_images_make_a_page_without_curves(detector, category):
    category.full_shape = (64, 96, 3)
    category.test = category.test[:1]
    for name in ("label", "mask"):
        category.test[0][1][name][:] = 0
    page = build(detector, category)
    assert "no ROC curve without both" in page
    assert "no pixel curves" in page
    assert "crop around the peak" in page


def test_a_missing_extra_is_one_sentence(monkeypatch):
    original = builtins.__import__

    def without_jinja2(name, *args, **kwargs):
        if name == "jinja2":
            raise ImportError("No module named 'jinja2'", name="jinja2")
        return original(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without_jinja2)
    with pytest.raises(InputError, match=r"needs jinja2, .*\.\[report\]"):
        check_report_possible()
