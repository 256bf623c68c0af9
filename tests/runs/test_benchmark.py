import dataclasses
import json
import os
import shutil
from types import SimpleNamespace

import numpy as np
import pytest
from click.testing import CliRunner
from helpers import TINY_MODEL
from PIL import Image

from kerasad.cli import main
from kerasad.errors import InputError
from kerasad.runs import benchmark
from kerasad.runs.benchmark import run_benchmark
from kerasad.runs.benchmark_table import COUNTS, NUMBERS
from kerasad.training.config import DataConfig, ModelConfig, RunConfig, TrainingConfig


def write_category(root, seed=0):
    """A category of 32 x 32 pictures: 10 good ones, and 2 good and 2 burnt ones for tests."""
    rng = np.random.default_rng(seed)
    rows = np.linspace(80, 140, 32)[:, None, None]
    parts = ["train/good"] * 10 + ["test/good"] * 2 + ["test/burn"] * 2
    for number, part in enumerate(parts):
        pixels = rows + rng.normal(0, 6, (32, 32, 3))
        if part == "test/burn":
            pixels[8:16, 10:22] = 250
            mask = np.zeros((32, 32), "uint8")
            mask[8:16, 10:22] = 255
            write_image(root / f"ground_truth/burn/{number:03d}_mask.png", mask)
        write_image(root / part / f"{number:03d}.png", np.clip(pixels, 0, 255).astype("uint8"))
    return root


def write_image(path, pixels):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


@pytest.fixture(scope="module")
def categories(tmp_path_factory):
    """A folder with the categories bottle and plate, and a folder that is none."""
    root = tmp_path_factory.mktemp("data")
    write_category(root / "bottle", 1)
    write_category(root / "plate", 2)
    (root / "licence").mkdir()
    return root


@pytest.fixture
def config(categories):
    """RunConfig with all that is large kept small."""
    return RunConfig(
        DataConfig(str(categories / "plate"), image_size="32x32", batch_size=4),
        ModelConfig("vae_gan", TINY_MODEL),
        TrainingConfig(epochs=1, false_alarm_rate=0.34, synthetic_defects=8),
    )


@pytest.fixture
def trained(monkeypatch):
    """Rows without a training; those of the names in `broken` fail. Lists what was measured."""
    measured, broken, configs = [], {}, []

    def measure(config, run, log):
        measured.append(run.name)
        configs.append(config)
        if run.name in broken:
            if isinstance(broken[run.name], BaseException):
                raise broken[run.name]
            return {"status": "failed", "reason": broken[run.name]}
        numbers = dict.fromkeys(NUMBERS, 0.5) | {"aupro": 0.25 + 0.5 * config.training.seed}
        counts = dict.fromkeys(COUNTS, 4) | {"image_size": [32, 32]}
        return {"status": "done", **numbers, **counts, "notes": {}}

    monkeypatch.setattr(benchmark, "measure_row", measure)
    return SimpleNamespace(measured=measured, broken=broken, configs=configs)


def read_table(path):
    return json.loads((path / "benchmark.json").read_text())


def read_rows(path):
    return [json.loads(line) for line in (path / "rows.jsonl").read_text().splitlines()]


def test_every_category_model_and_seed_is_a_row_and_the_table_has_their_means(
    config, categories, trained, tmp_path
):
    lines = []
    table = run_benchmark(
        config,
        [str(categories)],
        tmp_path / "out",
        models=["vae_gan", "cavga_d"],
        seeds=[0, 1],
        echo=lines.append,
    )
    assert len(trained.measured) == len(read_rows(tmp_path / "out")) == 8
    assert table.pop("failed") == []
    assert table == read_table(tmp_path / "out")
    assert [(row["category"], row["model"]) for row in table["rows"]] == [
        ("bottle", "vae_gan"),
        ("bottle", "cavga_d"),
        ("plate", "vae_gan"),
        ("plate", "cavga_d"),
    ]
    assert table["means"][0]["aupro"] == {"mean": 0.5, "lowest": 0.25, "highest": 0.75}
    assert table["settings"]["data"]["image_size"] == "32x32"
    assert (tmp_path / "out/benchmark.md").read_text().strip() == lines[-1].strip()


def test_a_benchmark_stopped_in_a_row_goes_on_with_that_row(config, categories, trained, tmp_path):
    arguments = (config, [str(categories)], tmp_path / "out")
    trained.broken["plate_vae_gan_seed0"] = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        run_benchmark(*arguments, seeds=[0, 1])
    assert [row["seed"] for row in read_rows(tmp_path / "out")] == [0, 1]
    assert "plate, vae_gan, seeds 0, 1: not measured yet" in read_table(tmp_path / "out")["notes"]

    trained.broken.clear()
    trained.measured.clear()
    lines = []
    run_benchmark(*arguments, seeds=[0, 1], echo=lines.append)
    assert trained.measured == ["plate_vae_gan_seed0", "plate_vae_gan_seed1"]
    assert "2 of 4 rows are done." in lines[0]
    assert read_table(tmp_path / "out")["notes"] == []

    run_benchmark(*arguments, seeds=[0, 1, 2])
    assert trained.measured[2:] == ["bottle_vae_gan_seed2", "plate_vae_gan_seed2"]


def test_a_row_that_fails_is_recorded_the_rest_goes_on_and_it_is_tried_again(
    config, categories, trained, tmp_path
):
    arguments = (config, [str(categories)], tmp_path / "out")
    trained.broken["bottle_vae_gan_seed0"] = "`kl_loss` became nan."
    table = run_benchmark(*arguments)
    assert trained.measured == ["bottle_vae_gan_seed0", "plate_vae_gan_seed0"]
    sentence = "bottle, vae_gan, seed 0: `kl_loss` became nan."
    assert table["failed"] == [sentence]
    assert table["notes"][0] == ("bottle, vae_gan, seed 0: failed: `kl_loss` became nan.")
    row = read_rows(tmp_path / "out")[0]
    assert (row["status"], row["reason"]) == ("failed", sentence.partition(": ")[2])

    trained.broken.clear()
    assert run_benchmark(*arguments)["failed"] == []
    assert trained.measured[2:] == ["bottle_vae_gan_seed0"]
    assert [row["status"] for row in read_rows(tmp_path / "out")] == ["done", "done"]
    assert read_table(tmp_path / "out")["notes"] == []


def test_without_models_and_seeds_it_is_those_of_the_configuration(
    config, categories, trained, tmp_path
):
    run_benchmark(config, [str(categories / "plate")], tmp_path / "a")
    config = dataclasses.replace(config, training=dataclasses.replace(config.training, seed=4))
    config = dataclasses.replace(config, model=dataclasses.replace(config.model, name="cavga_d"))
    run_benchmark(config, [str(categories / "plate")], tmp_path / "b")
    assert trained.measured == ["plate_vae_gan_seed0", "plate_cavga_d_seed4"]


def test_a_number_of_epochs_is_for_models_that_train(categories, trained, tmp_path):
    config = RunConfig(DataConfig("x"), ModelConfig(), TrainingConfig(epochs=3))
    models = ["vae_gan", "patch_gaussian"]
    run_benchmark(config, [str(categories / "plate")], tmp_path, models=models)
    assert [config.training.epochs for config in trained.configs] == [3, None]


def test_overwriting_deletes_the_runs_of_its_rows_and_no_others(
    config, categories, trained, tmp_path
):
    arguments = (config, [str(categories / "plate")], tmp_path)
    run_benchmark(*arguments)
    for name in ("notes.txt", "runs/plate_vae_gan_seed0/a", "runs/mine/a", "logs/a.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "runs/.plate_vae_gan_seed0.partial-ab").mkdir()  # a training that was killed
    (tmp_path / "runs/.mine.partial-ab").mkdir()
    run_benchmark(*arguments, overwrite=True)
    assert len(trained.measured) == 2
    names = ["benchmark.json", "benchmark.md", "logs", "notes.txt", "rows.jsonl", "runs"]
    assert sorted(os.listdir(tmp_path)) == names
    assert sorted(os.listdir(tmp_path / "runs")) == [".mine.partial-ab", "mine"]


@pytest.mark.parametrize("damage", ["[]", '{"category": "plate"}', '{"category"'])
def test_a_damaged_row_is_named_by_its_line(damage, config, categories, trained, tmp_path):
    arguments = (config, [str(categories / "plate")], tmp_path)
    run_benchmark(*arguments)
    with (tmp_path / "rows.jsonl").open("a") as file:
        file.write(damage)
    with pytest.raises(InputError, match=r"rows\.jsonl, line 2: .* pass --overwrite"):
        run_benchmark(*arguments)
    assert run_benchmark(*arguments, overwrite=True)["failed"] == []


@pytest.mark.parametrize(
    ("models", "arguments", "part"),
    [
        (["gan"], {}, "Unknown model 'gan'"),
        (["vae_gan"], {"latent_dims": 4}, "did you mean `latent_dim`"),
        (["vae_gan", "cavga_weak_d"], {}, "cavga_weak_d learns from .* set --labelled-share"),
    ],
)
def test_what_no_row_could_be_trained_with_is_refused_before_the_first(
    models, arguments, part, config, categories, tmp_path
):
    model = dataclasses.replace(config.model, arguments=arguments)
    config = dataclasses.replace(config, model=model)
    with pytest.raises(InputError, match=part):
        run_benchmark(config, [str(categories)], tmp_path / "out", models=models)
    assert not (tmp_path / "out").exists()


def test_a_category_without_test_images_has_nothing_to_measure(config, categories, tmp_path):
    copy = shutil.copytree(categories / "plate", tmp_path / "plate")
    shutil.rmtree(copy / "test")
    with pytest.raises(InputError, match="plate has no test image"):
        run_benchmark(config, [str(copy)], tmp_path / "out")


def test_labelled_images_of_one_category_are_not_taken_for_several(config, categories, tmp_path):
    data = DataConfig("x", labelled="folder")
    with pytest.raises(InputError, match="use --labelled-share"):
        run_benchmark(dataclasses.replace(config, data=data), [str(categories)], tmp_path / "out")


def test_images_are_known_by_their_content_their_class_and_their_mask(
    config, categories, trained, tmp_path
):
    copy = shutil.copytree(categories / "plate", tmp_path / "plate")

    refused = pytest.raises(InputError, match=r"another benchmark \(`images\.plate` is")
    arguments = (config, [str(copy)], tmp_path / "out")
    run_benchmark(*arguments)
    mask = copy / "ground_truth/burn/012_mask.png"
    kept = mask.read_bytes()
    Image.fromarray(np.eye(32, dtype="uint8") * 255).save(mask)
    with refused:
        run_benchmark(*arguments)
    mask.write_bytes(kept)
    run_benchmark(*arguments)
    (copy / "test/good/010.png").rename(copy / "test/burn/010.png")
    with refused:
        run_benchmark(*arguments)


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
        (["--models", "vae_gan,gan"], "Unknown model 'gan'"),
        (["--image-size", "64"], "`settings.data.image_size` is '32x32' there, '64' here"),
        (["--epochs", "2"], "`settings.training.epochs` is 1 there, 2 here"),
        (["--latent-dim", "3"], "`settings.model.arguments.latent_dim` is 2 there, 3 here"),
    ],
)
def test_what_cannot_be_is_one_sentence_and_changes_nothing(
    options, part, path, categories, trained, tmp_path
):
    words = [categories, "--output", tmp_path / "out", "--config", path]
    assert run_verb(*words).exit_code == 0
    before = [path.read_bytes() for path in sorted((tmp_path / "out").glob("*.*"))]
    result = run_verb(*words, *options)
    assert result.exit_code == 2
    assert part in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert [path.read_bytes() for path in sorted((tmp_path / "out").glob("*.*"))] == before
    assert len(trained.measured) == 2
