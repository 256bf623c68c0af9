import builtins
import re
from types import SimpleNamespace

import numpy as np
import pytest

from kerasad.errors import InputError
from kerasad.files import write_json
from kerasad.report.build import embed, write_report
from kerasad.runs.run import Run
from kerasad.training.config import DataConfig, ModelConfig, RunConfig

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
HISTORY = """epoch,loss,encoder_loss,decoder_loss,discriminator_loss,kl_loss,synthetic_iou,seconds
1,2.0,1.0,1.5,0.7,0.1,0.1,3.0
2,1.0,0.5,1.0,0.6,0.2,0.3,3.0
"""


@pytest.fixture
def run(tmp_path, detector, monkeypatch):
    RunConfig(DataConfig("photos/bottle")).write(tmp_path / "config.json")
    write_json(tmp_path / "calibration.json", {"threshold": 3.0, "note": "4 images guarantee 20 %"})
    write_json(tmp_path / "metrics.json", METRICS)
    (tmp_path / "history.csv").write_text(HISTORY)
    monkeypatch.setattr(Run, "load_detector", lambda self: detector)
    return Run(tmp_path)


def test_the_page_holds_everything_and_needs_nothing(run, category):
    page = write_report(run, lambda detector: category).read_text()

    assert "calibrated after" not in page
    for text in ("0.875", "4 images guarantee 20 %", "test/cut/001.png", "Misses (1)", "cut"):
        assert text in page
    for alt in ("ROC curves", "Per-region overlap curve", "Histogram", "t-SNE", "overlay of test"):
        assert f'alt="{alt}' in page
    assert "synthetic defects over the epochs" in page
    addresses = re.findall(r'(?:src|href)="([^"]*)"', page)
    assert addresses
    assert all(address.startswith("data:image/png;base64,") for address in addresses)
    assert "http" not in re.sub(r'src="data:[^"]*"', "", page)
    # Text from files is escaped.
    assert "<script>" not in page
    assert "&lt;script&gt;" in page


@pytest.fixture
def other(tmp_path, monkeypatch, detector):
    """Another run, of a model that sees the same images."""
    folder = tmp_path / "supervised"
    folder.mkdir()
    RunConfig(DataConfig("photos/bottle")).write(folder / "config.json")
    monkeypatch.setattr(Run, "load_model", lambda self: detector.model)
    return Run(folder)


def test_another_runs_latent_space_is_shown_beside(run, other, category):
    page = write_report(run, lambda detector: category, other).read_text()
    assert page.count('alt="t-SNE') == 2
    assert "feature_vae_gan (supervised)" in page


def test_a_run_on_images_of_another_size_is_not_shown_beside(run, other, category, monkeypatch):
    small = SimpleNamespace(image_shape=(8, 8, 3))
    monkeypatch.setattr(Run, "load_model", lambda self: small)
    with pytest.raises(InputError, match=r"supervised: its model sees images of \(8, 8\)"):
        write_report(run, lambda detector: category, other)


def no_folder(detector):
    raise InputError("photos/bottle: there is no such folder.")


def test_missing_images_leave_the_rest_of_the_page(run):
    page = write_report(run, no_folder).read_text()
    assert "photos/bottle: there is no such folder." in page
    assert "0.875" in page
    assert "ROC curves" not in page


def test_metrics_of_an_earlier_calibration_are_marked(run):
    write_json(run.path / "metrics.json", METRICS | {"threshold": 2.5})
    assert "calibrated after it was evaluated" in write_report(run, no_folder).read_text()


def test_a_review_band_has_its_own_column_and_group(run, category, monkeypatch, detector):
    page = write_report(run, lambda detector: category).read_text()
    assert "to be looked at" not in page.lower()
    monkeypatch.setattr(type(detector), "review_threshold", 0.4)
    page = write_report(run, lambda detector: category).read_text()
    assert '<th class="number">to be looked at</th>' in page
    assert "To be looked at (" in page


def test_a_run_without_evaluation_says_what_to_do(run, category):
    (run.path / "metrics.json").unlink()
    (run.path / "history.csv").unlink()
    page = write_report(run, lambda detector: category).read_text()
    assert "run `kerasad evaluate`" in page
    assert "no history.csv" in page
    assert "ROC curves" in page


def test_a_damaged_history_leaves_the_rest_of_the_page(run):
    (run.path / "history.csv").write_text("epoch,loss,seconds\n1,junk,2.0\n")
    page = write_report(run, no_folder).read_text()
    assert "The curves cannot be shown." in page
    assert "history.csv, line 2" in page
    assert "0.875" in page


@pytest.mark.parametrize(("steps", "is_told"), [(200, True), (0, False)])
def test_losses_that_differ_in_the_weight_of_a_term_are_told_apart(run, steps, is_told):
    model = ModelConfig(arguments={"kl_warmup_steps": steps})
    RunConfig(DataConfig("photos"), model).write(run.path / "config.json")
    history = "epoch,encoder_loss,val_encoder_loss,seconds\n1,1.0,2.0,3.0\n"
    (run.path / "history.csv").write_text(history)
    page = write_report(run, no_folder).read_text()
    assert (f"less during its first {steps} steps" in page) == is_told


def test_only_good_images_make_a_page_without_curves(run, category):
    category.full_shape = (64, 96, 3)
    category.test = category.test[:1]
    for name in ("label", "mask"):
        category.test[0][1][name][:] = 0
    page = write_report(run, lambda detector: category).read_text()
    assert "no ROC curve without both" in page
    assert "no pixel curves" in page
    assert "crop around the peak" in page


def test_a_missing_extra_is_one_sentence(run, category, monkeypatch):
    original = builtins.__import__

    def without_jinja2(name, *args, **kwargs):
        if name == "jinja2":
            raise ImportError("No module named 'jinja2'", name="jinja2")
        return original(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without_jinja2)
    with pytest.raises(InputError, match=r"needs jinja2: .*kerasad\[report\]"):
        write_report(run, lambda detector: category)


def test_the_embedding_separates_what_is_separate():
    rng = np.random.default_rng(0)
    latents = rng.normal(size=(40, 6))
    latents[20:] += 50.0
    points = embed(latents)
    centers = points[:20].mean(axis=0), points[20:].mean(axis=0)
    radius = max(np.linalg.norm(points[:20] - centers[0], axis=1).max(), 1e-6)
    assert np.linalg.norm(centers[0] - centers[1]) > radius


@pytest.mark.parametrize("latents", [np.ones((6, 4)), np.arange(10.0).reshape(10, 1)])
def test_degenerate_latents_still_embed(latents):
    assert np.all(np.isfinite(embed(latents)))


def test_too_few_points_have_no_embedding():
    assert embed(np.zeros((4, 2))) is None
