import dataclasses
import json
import os
import shutil

import pytest
from click.testing import CliRunner

from kerasad.benchmark import driver, run_benchmark
from kerasad.benchmark.folder import FAILED, read_rows
from kerasad.cli import main
from kerasad.errors import InputError
from kerasad.runs.run import Run


@pytest.fixture
def trained(monkeypatch, make_row):
    """Rows without a training: those of the names in `broken` fail. Lists what was measured."""
    measured, broken = [], {}

    def measure(planned, folder, keep_runs):
        measured.append(planned.name)
        if planned.name in broken:
            error = broken[planned.name]
            if isinstance(error, BaseException):
                raise error
            return make_row(planned, status=FAILED, reason=error)
        return make_row(planned, aupro=0.25 + 0.5 * planned.seed)

    monkeypatch.setattr(driver, "measure_row", measure)
    measured_and_broken = type("Trained", (), {"measured": measured, "broken": broken})
    return measured_and_broken


def table(path):
    return json.loads((path / "benchmark.json").read_text())


def test_every_category_model_and_seed_is_a_row_and_the_table_has_their_means(
    config, categories, trained, tmp_path
):
    lines = []
    found = run_benchmark(
        config,
        [str(categories)],
        tmp_path / "out",
        models=["vae_gan", "cavga_d"],
        seeds=[0, 1],
        echo=lines.append,
    )
    assert len(trained.measured) == len(read_rows(tmp_path / "out/rows.jsonl")) == 8
    assert found.failed == ()
    assert found.table == table(tmp_path / "out")
    assert [(row["category"], row["model"]) for row in found.table["rows"]] == [
        ("bottle", "vae_gan"),
        ("bottle", "cavga_d"),
        ("plate", "vae_gan"),
        ("plate", "cavga_d"),
    ]
    assert found.table["means"][0]["aupro"] == {"mean": 0.5, "lowest": 0.25, "highest": 0.75}
    assert found.table["settings"]["data"]["image_size"] == "32x32"
    page = (tmp_path / "out/benchmark.md").read_text()
    assert page.strip() == lines[-1].strip()
    assert "CAVGA-R_u 2020" in page  # bottle is MVTec AD's
    assert any(entry["method"] == "EfficientAD-M" for entry in found.table["published"])


def test_a_benchmark_stopped_in_a_row_goes_on_with_that_row(config, categories, trained, tmp_path):
    arguments = (config, [str(categories)], tmp_path / "out")
    trained.broken["plate_vae_gan_seed0"] = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        run_benchmark(*arguments, seeds=[0, 1])
    assert [row["name"] for row in read_rows(tmp_path / "out/rows.jsonl")] == [
        "bottle_vae_gan_seed0",
        "bottle_vae_gan_seed1",
    ]
    assert "plate, vae_gan, seeds 0, 1: not measured yet" in table(tmp_path / "out")["notes"]

    trained.broken.clear()
    trained.measured.clear()
    lines = []
    run_benchmark(*arguments, seeds=[0, 1], echo=lines.append)
    assert trained.measured == ["plate_vae_gan_seed0", "plate_vae_gan_seed1"]
    assert "2 of 4 rows are done." in lines[0]
    assert table(tmp_path / "out")["notes"] == []

    run_benchmark(*arguments, seeds=[0, 1, 2])
    assert trained.measured[2:] == ["bottle_vae_gan_seed2", "plate_vae_gan_seed2"]
    training = dataclasses.replace(config.training, epochs=3)
    other = dataclasses.replace(config, training=training)
    with pytest.raises(InputError, match=r"`training\.epochs` is 1 there, 3 here"):
        run_benchmark(other, *arguments[1:])
    assert len(trained.measured) == 4


def test_a_row_that_fails_is_recorded_the_rest_goes_on_and_it_is_tried_again(
    config, categories, trained, tmp_path
):
    arguments = (config, [str(categories)], tmp_path / "out")
    trained.broken["bottle_vae_gan_seed0"] = "`kl_loss` became nan."
    found = run_benchmark(*arguments)
    assert trained.measured == ["bottle_vae_gan_seed0", "plate_vae_gan_seed0"]
    sentence = "bottle, vae_gan, seed 0: `kl_loss` became nan."
    assert found.failed == (sentence,)
    assert found.table["notes"][0] == ("bottle, vae_gan, seed 0: failed: `kl_loss` became nan.")
    row = read_rows(tmp_path / "out/rows.jsonl")[0]
    assert (row["status"], row["reason"]) == ("failed", sentence.partition(": ")[2])

    trained.broken.clear()
    assert run_benchmark(*arguments).failed == ()
    assert trained.measured[2:] == ["bottle_vae_gan_seed0"]
    assert table(tmp_path / "out")["notes"] == []


def test_without_models_and_seeds_it_is_those_of_the_configuration(
    config, categories, trained, tmp_path
):
    run_benchmark(config, [str(categories / "plate")], tmp_path / "a")
    config = dataclasses.replace(config, training=dataclasses.replace(config.training, seed=4))
    config = dataclasses.replace(config, model=dataclasses.replace(config.model, name="cavga_d"))
    run_benchmark(config, [str(categories / "plate")], tmp_path / "b")
    assert trained.measured == ["plate_vae_gan_seed0", "plate_cavga_d_seed4"]


@pytest.fixture
def path(config, tmp_path):
    """A configuration file."""
    values = config.to_dict()
    del values["data"]["path"]
    (tmp_path / "tiny.json").write_text(json.dumps(values))
    return tmp_path / "tiny.json"


def run_verb(*words):
    return CliRunner().invoke(main, ["benchmark", *map(str, words)])


def test_the_verb_prints_the_table_and_fails_at_the_end_if_a_row_has_failed(
    path, categories, trained, tmp_path
):
    words = [categories, "--output", tmp_path / "out", "--config", path, "--seeds", "0, 1"]
    result = run_verb(*words, "--models", "vae_gan, cavga_d")
    assert result.exit_code == 0, result.output + str(result.exception)
    assert "| plate     | cavga_d |" in result.output
    assert f"Written to {tmp_path / 'out'}" in result.output
    assert len(trained.measured) == 8

    trained.broken["plate_cavga_d_seed2"] = "Memory ran out."
    result = run_verb(*words[:-1], "2", "--models", "cavga_d")
    assert result.exit_code == 1
    assert result.stderr == "kerasad: Rows failed: plate, cavga_d, seed 2: Memory ran out.\n"
    assert "Written to" in result.output
    assert "bottle_cavga_d_seed2" in trained.measured


@pytest.mark.parametrize(
    ("options", "part"),
    [
        (["--seeds", "0,one"], "--seeds 0,one is not numbers such as 0,1,2"),
        (["--seeds", "-1"], "`training.seed` must be at least 0"),
        (["--models", "vae_gan,gan"], "There is no model 'gan'"),
        (["--image-size", "64"], "`data.image_size` is '32x32' there, '64' here"),
    ],
)
def test_what_cannot_be_is_one_sentence_and_changes_nothing(
    options, part, path, categories, trained, tmp_path
):
    words = [categories, "--output", tmp_path / "out", "--config", path]
    assert run_verb(*words).exit_code == 0
    before = (tmp_path / "out/rows.jsonl").read_bytes()
    result = run_verb(*words, *options)
    assert result.exit_code == 2
    assert part in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert (tmp_path / "out/rows.jsonl").read_bytes() == before
    assert len(trained.measured) == 2


@pytest.mark.slow
def test_rows_are_measured_as_train_and_evaluate_measure_and_failures_are_sentences(
    config, categories, path, tmp_path
):
    """A whole category, and one whose only burnt picture is cut off where no header shows it."""
    broken = shutil.copytree(categories / "plate", tmp_path / "data/broken")
    shutil.copytree(categories / "plate", tmp_path / "data/plate")
    picture = broken / "test/burn/013.png"
    picture.write_bytes(picture.read_bytes()[:-40])
    values = json.loads(path.read_text())
    values["data"]["on_bad"] = "raise"
    path.write_text(json.dumps(values))
    words = [tmp_path / "data", "--output", tmp_path / "out", "--config", path, "--keep-runs"]
    result = run_verb(*words)
    assert result.exit_code == 1, result.output + str(result.exception)
    assert "broken, vae_gan, seed 0: " in result.stderr
    assert "test/burn/013.png" in result.stderr
    assert "Traceback" not in result.stderr

    failed, done = read_rows(tmp_path / "out/rows.jsonl")
    assert failed["status"] == "failed"
    assert "test/burn/013.png" in failed["reason"]
    run = Run(tmp_path / "out/runs" / done["name"])
    assert os.listdir(tmp_path / "out/runs") == [done["name"]]
    assert run.config.model.arguments["filters"] == 2
    for name in ("image_auroc", "aupro", "iou_oracle", "milliseconds_per_image", "image_size"):
        assert done[name] == run.metrics[name]
    assert done["num_images"] == 4
    assert (done["train_images"], done["good_images"]) == (7, 10)
    assert 0 < done["train_seconds"] < done["fit_seconds"]
    assert done["fit_memory_mb"] > 100
    assert done["peak_memory_mb"] > 100
    size = (run.path / "detector.keras").stat().st_size
    assert done["model_mb"] == pytest.approx(size / 2**20)
    row = table(tmp_path / "out")["rows"][1]
    assert row["aupro"]["mean"] == done["aupro"]
