import csv
import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from click.testing import CliRunner
from PIL import Image

from kerasad.cli import main
from kerasad.models.adacos_modes import ADACOS_MODES, LABELLED_ADACOS_MODES
from kerasad.runs.run import Run
from kerasad.training.recipes import RECIPES

TINY = {
    "data": {"image_size": "32", "batch_size": 4},
    "model": {"name": "vae_gan", "arguments": {"filters": 4, "depth": 2, "latent_dim": 4}},
    "training": {"epochs": 1, "false_alarm_rate": 0.34, "synthetic_defects": 8},
}


def write_image(path, seed, spot=None):
    rng = np.random.default_rng(seed)
    rows = np.linspace(80, 140, 32)[:, None, None]
    pixels = rows + rng.normal(0, 6, (32, 32, 3))
    if spot is not None:
        pixels[spot] = 250
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.clip(pixels, 0, 255).astype("uint8")).save(path)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A category of 32 x 32 pictures: 10 good ones, and 2 + 3 for tests."""
    root = tmp_path_factory.mktemp("data") / "plate"
    spot = np.s_[8:16, 10:22]
    for number in range(10):
        write_image(root / f"train/good/{number:03d}.png", number)
    for number in range(2):
        write_image(root / f"test/good/{number:03d}.png", 100 + number)
    mask = np.zeros((32, 32), "uint8")
    mask[spot] = 255
    for number in range(3):
        write_image(root / f"test/burn/{number:03d}.png", 200 + number, spot)
        path = root / f"ground_truth/burn/{number:03d}_mask.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(mask).save(path)
    return root


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    path = tmp_path_factory.mktemp("config") / "tiny.json"
    path.write_text(json.dumps(TINY))
    return path


def run_verb(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def must(*arguments):
    result = run_verb(*arguments)
    assert result.exit_code == 0, result.output + str(result.exception)
    return result


def refused(*arguments, code=2):
    """The one sentence on stderr of a verb that refuses."""
    result = run_verb(*arguments)
    assert result.exit_code == code, result.output + str(result.exception)
    lines = result.stderr.strip().splitlines()
    assert lines, "nothing on stderr"
    return lines[-1]


@pytest.fixture(scope="module")
def trained(data, config, tmp_path_factory):
    path = tmp_path_factory.mktemp("runs") / "plate"
    result = must("train", data, "--output", path, "--config", config, "--seed", 3)
    return path, result.output


@pytest.fixture
def run(trained, tmp_path):
    """A copy that a test may change."""
    return shutil.copytree(trained[0], tmp_path / "run")


def test_help_lists_verbs_models_and_defaults():
    text = must("--help").output
    for verb in main.commands:
        assert f"  {verb} " in text
    text = must("train", "--help").output
    assert f"[{'|'.join(RECIPES)}]" in text
    assert f"[{'|'.join([*ADACOS_MODES, *LABELLED_ADACOS_MODES, 'none'])}]" in text
    assert "[default: 256]" in text


@pytest.mark.parametrize("words", [["--help"], ["--version"], ["train", "--help"], ["check"]])
def test_help_and_refused_words_do_not_wait_for_tensorflow(words):
    program = (
        "import atexit, sys\n"
        "heavy = {'keras', 'numpy', 'tensorflow'}\n"
        "atexit.register(lambda: print('loaded:', sorted(heavy & set(sys.modules))))\n"
        f"sys.argv = ['/usr/bin/kerasad', *{words}]\n"  # as the command starts
        "from kerasad.cli import main\n"
        "main()\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", program]
    result = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert result.stdout.endswith("loaded: []\n"), result.stdout + result.stderr


def test_train_leaves_a_whole_run_and_says_where(trained, data):
    path, output = trained
    assert set(os.listdir(path)) == {
        "config.json",
        "split.json",
        "history.csv",
        "model.keras",
        "detector.keras",
        "calibration.json",
    }
    assert f"Next: kerasad evaluate {path}\n" in output
    assert "calibration" in output
    assert os.listdir(path.parent) == ["plate"]


def test_a_weak_model_learns_from_labelled_images_that_no_evaluation_counts(data, config, tmp_path):
    options = ["--config", config, "--model", "cavga_weak_d", "--output", tmp_path / "weak"]
    assert "name a folder of them" in refused("train", data, *options)
    output = must("train", data, *options, "--labelled-share", 0.1).output
    assert "labelled defective, never test images: 1" in output
    must("evaluate", tmp_path / "weak")
    metrics = json.loads((tmp_path / "weak/metrics.json").read_text())
    assert (metrics["num_images"], metrics["labelled_left_out"]) == (4, 1)
    assert Run(tmp_path / "weak").config.model.arguments["encoder_type"] == "dcgan"


def test_labelled_images_on_the_command_line_replace_those_of_a_configuration(data, tmp_path):
    path = tmp_path / "config.json"
    path.write_text(json.dumps({"data": {"labelled_share": 0.1}}))
    options = ["--config", path, "--model", "cavga_weak_d", "--output", tmp_path / "weak"]
    message = refused("train", data, *options, "--labelled", tmp_path / "absent")
    assert "absent" in message
    assert "both" not in message
    message = refused("train", data, *options, "--labelled", "a", "--labelled-share", 0.1)
    assert "both" in message


def test_the_configuration_of_a_run_is_complete(trained, data):
    config = Run(trained[0]).config
    assert config.data.path == str(data)
    assert config.training.seed == config.model.arguments["seed"] == 3
    assert config.training.epochs == 1
    assert config.model.arguments["filters"] == 4
    assert config.model.arguments["adacos"] == "pretext"  # a default of the model, resolved


def test_history_has_the_curves_of_networks_terms_and_iou(trained):
    with (trained[0] / "history.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 1
    for name in ("encoder_loss", "decoder_loss", "discriminator_loss", "kl_loss", "val_kl_loss"):
        assert np.isfinite(float(rows[0][name]))
    assert 0 <= float(rows[0]["synthetic_iou"]) <= 1
    assert 0 <= float(rows[0]["synthetic_pixel_auroc"]) <= 1


def test_an_existing_run_is_refused(trained, data, config):
    message = refused("train", data, "--output", trained[0], "--config", config)
    assert "exists" in message
    assert "--overwrite" in message


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["nowhere", "--output", "out"], "nowhere"),
        (["{data}", "--output", "out", "--split", "a,b,c"], "--split a,b,c"),
        (["{data}", "--output", "out", "--image-size", "big"], "image_size='big'"),
        (["{data}", "--output", "out", "--config", "missing.json"], "missing.json cannot be read"),
        (["{data}", "--output", "out", "--false-alarm-rate", "2"], "`training.false_alarm_rate`"),
        (["{data}", "--output", "out", "--epochs", "0"], "`training.epochs`"),
        (["demo/wood", "--output", "out"], "demo/brick"),
        (["{data}", "--output", "out", "--split", "0.7,0.3,0"], "--split"),
        (["{data}", "--output", "out", "--tile", "4"], "size of 4 is below 32"),
        (["{data}", "--output", "out", "--image-size", "4x4"], "--image-size"),
        (["{data}", "--output", "out", "--image-size", "100000"], "10,000,000,000 pixels"),
        (["{data}", "--output", "{data}/train/good/000.png/run"], "choose another --output"),
    ],
)
def test_bad_input_is_one_sentence_and_leaves_nothing(arguments, part, data, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    arguments = [argument.format(data=data) for argument in arguments]
    assert part in refused("train", *arguments)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ("change", "part"),
    [
        ({"model": {"arguments": {"latent_dims": 4}}}, "did you mean `latent_dim`?"),
        ({"model": {"name": "vae"}}, "There is no model 'vae'"),
        ({"data": {"crop": 32}}, "`data.crop`"),
        ({"model": 5}, "`model` in "),
        ({"model": {"arguments": {"filters": "x"}}}, "`filters` must be a whole number"),
        ({"model": {"arguments": {"kl_weight": None}}}, "`kl_weight` must be a finite number"),
    ],
)
def test_a_configuration_file_with_a_slip_is_refused(change, part, data, tmp_path):
    path = tmp_path / "config.json"
    path.write_text(json.dumps(change))
    assert part in refused("train", data, "--output", tmp_path / "run", "--config", path)
    assert os.listdir(tmp_path) == ["config.json"]


def test_a_training_that_diverges_names_the_term_and_keeps_the_old_run(run, data, tmp_path):
    before = (run / "detector.keras").read_bytes()
    wild = TINY | {"training": {"epochs": 3, "learning_rate": 1e30}}
    path = tmp_path / "wild.json"
    path.write_text(json.dumps(wild))
    message = refused("train", data, "--output", run, "--config", path, "--overwrite", code=1)
    assert "_loss`" in message
    assert (run / "detector.keras").read_bytes() == before
    assert sorted(os.listdir(tmp_path)) == ["run", "wild.json"]


@pytest.mark.parametrize(
    ("error", "part"),
    [
        (MemoryError(), "smaller --image-size or --batch-size"),
        (tf.errors.ResourceExhaustedError(None, None, "OOM"), "smaller --image-size or --batch-"),
        (
            OSError(28, "No space left on device", "/disk/run"),
            "/disk/run cannot be read or written",
        ),
    ],
)
def test_a_machine_that_does_not_suffice_is_one_sentence(error, part, data, monkeypatch):
    def fail(*arguments, **options):
        raise error

    monkeypatch.setattr("kerasad.runs.train.train_run", fail)
    assert part in refused("train", data, "--output", "run", code=1)


def test_strict_refuses_a_rate_that_two_images_cannot_guarantee(data, config, tmp_path):
    arguments = ["train", data, "--output", tmp_path / "run", "--config", config]
    assert "needs 19" in refused(*arguments, "--false-alarm-rate", 0.05, "--strict")
    assert os.listdir(tmp_path) == []


@pytest.fixture(scope="module")
def evaluated(trained, data, tmp_path_factory):
    run = shutil.copytree(trained[0], tmp_path_factory.mktemp("evaluated") / "run")
    return run, must("evaluate", run, "--data", data).output


def test_evaluate_writes_every_metric_and_prints_a_table(evaluated, data):
    run, output = evaluated
    metrics = json.loads((run / "metrics.json").read_text())
    for name in ("image_auroc", "pixel_auroc", "aupro", "iou_oracle", "iou_pooled"):
        assert 0 <= metrics[name] <= 1
        assert name in output
    assert metrics["num_images"] == 5
    assert metrics["seed"] == 3
    assert metrics["train_seconds"] > 0
    assert metrics["peak_memory_mb"] > 100
    assert "peak_memory_mb" not in metrics["notes"]
    assert metrics["data"] == str(data)
    assert set(metrics["per_defect"]) == {"burn"}


def test_a_damaged_history_costs_an_evaluation_its_seconds_of_training_alone(run, data):
    (run / "history.csv").write_text("")
    with pytest.warns(UserWarning, match=r"history\.csv, line 1"):
        must("evaluate", run, "--data", data)
    metrics = Run(run).metrics
    assert metrics["num_images"] == 5
    assert metrics["train_seconds"] is None
    assert metrics["notes"]["train_seconds"] == "history.csv is damaged"


def test_evaluate_on_good_images_gives_the_false_alarm_rate_alone(run, tmp_path):
    for number in range(4):
        write_image(tmp_path / "good" / f"{number}.png", 300 + number)
    must("evaluate", run, "--data", tmp_path / "good")
    metrics = json.loads((run / "metrics.json").read_text())
    assert 0 <= metrics["false_alarm_rate"]["observed"] <= 1
    assert metrics["image_auroc"] is None
    assert "image_auroc" in metrics["notes"]


def test_evaluate_refuses_images_that_the_run_has_seen(run, data):
    assert "has not seen" in refused("evaluate", run, "--data", data / "train" / "good")


def test_evaluate_refuses_a_test_image_that_trained(run, data, tmp_path):
    copy = shutil.copytree(data, tmp_path / "plate")
    trained_on = next(iter(json.loads((run / "split.json").read_text())["train"]))["path"]
    shutil.copy(data / trained_on, copy / "test/good/again.png")
    message = refused("evaluate", run, "--data", copy)
    assert "again.png: this image (1 of the 6 given) is in the run's train part" in message
    assert not (run / "metrics.json").exists()


def test_predict_mirrors_paths_and_names_bad_files(run, data, tmp_path):
    images = shutil.copytree(data / "test", tmp_path / "images")
    (images / "burn" / "broken.png").write_bytes(b"no image")
    results = tmp_path / "results"
    result = must("predict", run, images, "--output", results)

    lines = [json.loads(line) for line in (results / "predictions.jsonl").open()]
    scored = [line for line in lines if "error" not in line]
    assert len(scored) == 5
    for line in scored:
        assert set(line) == {
            "path",
            "anomaly_score",
            "threshold",
            "review_threshold",
            "p_value",
            "is_anomalous",
            "decision",
            "defect_area",
            "boxes",
            "image_size",
            "file_size",
            "overlay",
        }
        assert line["is_anomalous"] == (line["anomaly_score"] > line["threshold"])
        assert line["decision"] == ("defective" if line["is_anomalous"] else "good")
        assert line["image_size"] == line["file_size"] == [32, 32]
        for box in line["boxes"]:
            assert box["in_file"] == {name: box[name] for name in box["in_file"]}
        assert line["defect_area"] == sum(box["area"] for box in line["boxes"])
    failed = [line for line in lines if "error" in line]
    assert [os.path.basename(line["path"]) for line in failed] == ["broken.png"]
    assert "Files that could not be used: 1" in result.stderr
    overlay = Image.open(results / "burn" / "000_overlay.png")
    assert overlay.size == (256, 256)
    assert not list(results.rglob(".*"))


@pytest.mark.parametrize("below", ["", "results"])
def test_predict_does_not_score_its_own_results(run, data, tmp_path, below):
    images = shutil.copytree(data / "test/good", tmp_path / "images")
    for _ in range(2):
        must("predict", run, images, "--output", images / below)
        lines = (images / below / "predictions.jsonl").read_text().splitlines()
        assert sorted(os.path.basename(json.loads(line)["path"]) for line in lines) == [
            "000.png",
            "001.png",
        ]


def test_predict_on_nothing_usable_is_an_error(run, tmp_path):
    (tmp_path / "broken.png").write_bytes(b"no image")
    message = refused("predict", run, tmp_path / "broken.png", "--output", tmp_path / "results")
    assert "broken.png" in message
    assert "error" in (tmp_path / "results" / "predictions.jsonl").read_text()


def test_predict_on_a_path_that_is_not_there_names_it(run, tmp_path):
    message = refused("predict", run, tmp_path / "gone.png", "--output", tmp_path / "results")
    assert "gone.png" in message


def test_calibrate_changes_the_rate_and_keeps_the_scores(run):
    before = Run(run).calibration
    must("calibrate", run, "--false-alarm-rate", 0.67)
    after = Run(run).calibration
    assert after["false_alarm_rate"]["requested"] == 0.67
    assert after["threshold"] < before["threshold"]
    assert after["num_images"] == before["num_images"]
    assert after["experts"] == before["experts"]
    assert Run(run).load_detector().threshold == after["threshold"]


def test_a_review_band_is_set_kept_and_taken_away(run, data, tmp_path):
    before = Run(run).calibration
    output = must("calibrate", run, "--review-rate", 0.7).output
    assert "To be looked at above" in output
    assert "review rate requested 70.0%, guaranteed 66.7%" in output
    must("calibrate", run, "--false-alarm-rate", 0.35)
    after = Run(run).calibration
    assert after["review_rate"]["requested"] == 0.7
    assert after["threshold"] == before["threshold"] > after["review_threshold"]

    results = tmp_path / "results"
    output = must("predict", run, data / "test", "--output", results).output
    lines = [json.loads(line) for line in (results / "predictions.jsonl").open()]
    for line in lines:
        assert (line["decision"] == "look") == (
            line["review_threshold"] < line["anomaly_score"] <= line["threshold"]
        )
    looks = sum(line["decision"] == "look" for line in lines)
    assert f"called defective, {looks} to be looked at." in output

    assert "review_rate` must be above" in refused("calibrate", run, "--false-alarm-rate", 0.7)
    must("calibrate", run, "--review-rate", 0)
    assert Run(run).calibration["review_rate"] is None


def test_damaged_metrics_do_not_fail_a_calibration_that_was_written(run):
    (run / "metrics.json").write_text("{")
    output = must("calibrate", run, "--false-alarm-rate", 0.67).output
    assert "run `kerasad evaluate` again" in output


def test_calibrate_uses_all_new_good_images(run, tmp_path):
    for number in range(9):
        write_image(tmp_path / "good" / f"{number}.png", 400 + number)
    before = Run(run).calibration
    output = must("calibrate", run, "--data", tmp_path / "good").output
    after = Run(run).calibration
    assert after["num_images"] == 9
    assert after["experts"] == before["experts"]
    assert after["false_alarm_rate"]["guaranteed"] == pytest.approx(0.3)
    assert "9 images" in output
    assert "kerasad predict" in refused("evaluate", run, "--data", tmp_path / "good")
    write_image(tmp_path / "good" / "new.png", 500)
    must("evaluate", run, "--data", tmp_path / "good")
    assert Run(run).metrics["num_images"] == 1


def test_calibrate_counts_copies_of_an_image_once(run, tmp_path):
    for number in range(9):
        write_image(tmp_path / "good" / f"{number}.png", 400 + number % 3)
    assert "3 images" in must("calibrate", run, "--data", tmp_path / "good").output


def test_calibrate_refuses_images_that_trained_and_changes_nothing(run, data):
    before = (run / "detector.keras").read_bytes()
    assert "in the run's" in refused("calibrate", run, "--data", data / "train" / "good")
    assert (run / "detector.keras").read_bytes() == before


@pytest.fixture
def new_images(tmp_path):
    for number in range(7):
        write_image(tmp_path / "new" / f"{number}.png", 600 + number)
    return tmp_path / "new"


@pytest.fixture
def recalibrated(run, tmp_path):
    """A run with as many calibration images as a check asks for."""
    for number in range(9):
        write_image(tmp_path / "good" / f"{number}.png", 400 + number)
    must("calibrate", run, "--data", tmp_path / "good")
    return run


def test_a_check_tells_drift_by_its_exit_code_and_changes_nothing(
    recalibrated, new_images, tmp_path
):
    before = {path: path.read_bytes() for path in recalibrated.iterdir()}
    output = must("check", recalibrated, "--data", new_images).output
    assert "No drift found: the 7 new images look like the 9 calibration images" in output
    for number in range(7):
        pixels = np.asarray(Image.open(new_images / f"{number}.png"))
        path = tmp_path / "dark" / f"{number}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray((0.5 * pixels).astype("uint8")).save(path)
    result = run_verb("check", recalibrated, "--data", tmp_path / "dark", "--json")
    assert result.exit_code == 3
    found = json.loads(result.stdout)
    assert found["drift"] is True
    assert found["tensor"] == "encoder_features"
    assert {path: path.read_bytes() for path in recalibrated.iterdir()} == before


def test_a_check_refuses_what_the_run_has_seen_and_too_few_images(
    recalibrated, new_images, tmp_path, data
):
    check = ("check", recalibrated, "--data")
    assert "in the run's calibration part" in refused(*check, tmp_path / "good")
    assert "say nothing about new ones" in refused(*check, data / "train" / "good")
    for number in range(3):
        (new_images / f"{number}.png").unlink()
    assert "There are 4 new images" in refused(*check, new_images, "--json")


def test_a_check_needs_new_images_and_a_level_that_is_a_probability(run):
    assert "Missing option '--data'" in refused("check", run)
    assert "`level` must be from" in refused("check", run, "--data", "gone", "--level", 2)


def test_calibrate_without_anything_to_change_says_so(run):
    assert "give --data, --false-alarm-rate or --review-rate" in refused("calibrate", run)


def test_report_is_one_page(evaluated):
    must("report", evaluated[0])
    page = (evaluated[0] / "report.html").read_text()
    assert "test/burn/000.png" in page
    assert "t-SNE" in page
    assert "http" not in page


def test_report_without_the_images_says_so(trained, tmp_path, data):
    run = shutil.copytree(trained[0], tmp_path / "run")
    config = json.loads((run / "config.json").read_text())
    config["data"]["path"] = str(tmp_path / "gone")
    (run / "config.json").write_text(json.dumps(config))
    must("report", run)
    assert "Images cannot be shown." in (run / "report.html").read_text()


def test_a_network_in_place_of_the_detector_is_told_for_what_it_is(run):
    shutil.copy(run / "model.keras", run / "detector.keras")
    message = refused("calibrate", run, "--false-alarm-rate", 0.5)
    assert "detector.keras holds a VAEGAN, not an AnomalyDetector" in message


@pytest.mark.parametrize("verb", ["evaluate", "calibrate", "report", "predict"])
def test_a_folder_that_is_no_run_is_named(verb, tmp_path):
    more = ["x.png", "--output", tmp_path / "out"] if verb == "predict" else []
    assert "is not a run" in refused(verb, tmp_path, *more)


def test_few_good_photos_are_enough_with_crops_and_tiles_but_guarantee_nothing(config, tmp_path):
    for number in range(2):
        write_image(tmp_path / "good" / f"{number}.png", number)
    options = ["--image-size", "64x48", "--tile", 32, "--overlap", 8, "--config", config]
    arguments = ["train", tmp_path / "good", "--output", tmp_path / "run", *options]
    assert "no false-alarm rate is guaranteed" in refused(*arguments, "--strict")
    result = must(*arguments)
    assert f"Next: kerasad predict {tmp_path / 'run'}" in result.output
    assert "Fewer than 5 good images" in result.output
    run = Run(tmp_path / "run")
    assert run.calibration["false_alarm_rate"]["guaranteed"] is None
    detector = run.load_detector()
    assert detector.image_size == (64, 48)
    assert detector.model.image_shape == (32, 32, 3)
    assert detector.overlap == 8
