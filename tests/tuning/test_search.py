import json
import os
import signal
import subprocess
import sys
import textwrap
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

import kerasad.runs.train
from kerasad import InputError
from kerasad.cli import main
from kerasad.training.config import load_config
from kerasad.training.recipes import resolve_arguments
from kerasad.tuning import DetectorHyperModel
from kerasad.tuning.objective import OBJECTIVE

FIT = """
def fit(self, hp, model, *, callbacks, epochs, initial_epoch):
    return {"synthetic_localization": 1.0 / (1.0 + hp.values["kl_weight"])}
"""


def write_config(small, folder):
    path = folder / "small.json"
    data = {"image_size": "16x16", "batch_size": 4}
    values = {
        "data": data,
        "model": {"name": small.name, "arguments": small.arguments},
        "training": {"epochs": 1, "synthetic_defects": 8},
    }
    path.write_text(json.dumps(values))
    return path


@pytest.fixture
def config(small, tmp_path):
    return write_config(small, tmp_path)


def be_quick(monkeypatch):
    namespace = {}
    exec(FIT, namespace)
    monkeypatch.setattr(DetectorHyperModel, "fit", namespace["fit"])


@pytest.fixture
def quick(monkeypatch):
    """Trials whose objective is a function of their arguments, without a training."""
    be_quick(monkeypatch)


def tune(plate, output, config, *options):
    words = ["tune", plate, "--output", output, "--config", config, *options]
    return CliRunner().invoke(main, [str(word) for word in words])


def read(output, name="trials.json"):
    return json.loads((output / name).read_text())


@pytest.fixture(scope="module")
def searched(plate, small, tmp_path_factory):
    """The folder of a search of two quick trials, whose name has signs of a pattern."""
    folder = tmp_path_factory.mktemp("searched")
    output = folder / "s[1]*?"
    with pytest.MonkeyPatch.context() as patch:
        be_quick(patch)
        words = ("--trials", 2, "--seed", 3)
        result = tune(plate, output, write_config(small, folder), *words)
    assert result.exit_code == 0, result.output + str(result.exception)
    (folder / "output.txt").write_text(result.output)
    return output


def test_the_best_configuration_of_a_search_is_one_for_train(
    plate, searched, tmp_path, monkeypatch
):
    output = searched.with_name("output.txt").read_text()
    assert "2 trials of 1 epochs, 2 epochs or 6 training steps" in output
    rows = read(searched)
    assert [row["status"] for row in rows] == ["completed"] * 2
    best = max(rows, key=lambda row: row[OBJECTIVE.name])
    assert f"{best[OBJECTIVE.name]:.4f}" in output

    trained = []

    def train(config, output, **options):
        trained.append(config)
        return SimpleNamespace(calibration={"note": None})

    monkeypatch.setattr(kerasad.runs.train, "train_run", train)
    path = searched / "best_config.json"
    words = ["train", plate, "--config", path, "--output", tmp_path / "run"]
    result = CliRunner().invoke(main, [str(word) for word in words])
    assert result.exit_code == 0, result.output + str(result.exception)
    (run,) = trained
    assert run.training == load_config(path).training
    assert run.training.learning_rate == best["values"]["learning_rate"]
    assert run.training.seed == 3
    arguments = resolve_arguments(run.model, run.training.seed).arguments
    assert arguments["kl_weight"] == best["values"]["kl_weight"]
    assert arguments["filters"] == 2
    assert arguments["seed"] == 3


@pytest.mark.slow
def test_a_search_whose_trials_all_failed_says_why(plate, config, small, tmp_path):
    wild = {**small.arguments, "reconstruction_weight": 1e39}  # infinite in float32
    values = json.loads(config.read_text()) | {"model": {"name": small.name, "arguments": wild}}
    config.write_text(json.dumps(values))
    result = tune(plate, tmp_path / "search", config, "--trials", 1)
    assert result.exit_code == 1
    message = result.stderr.strip().splitlines()[-1]
    assert "All 1 trials failed" in message
    assert "_loss` became " in message
    assert "Traceback" not in result.stderr
    (row,) = read(tmp_path / "search")
    assert row["status"] == "failed"
    assert row["reason"] in message
    assert not (tmp_path / "search" / "best_config.json").exists()


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="there is no SIGKILL")
def test_a_search_killed_in_a_trial_goes_on_as_if_it_had_not_been(
    plate, config, tmp_path, quick, monkeypatch
):
    whole = tune(plate, tmp_path / "whole", config, "--trials", 4)
    assert whole.exit_code == 0, whole.output + str(whole.exception)
    killed = textwrap.dedent(
        """
        import os, signal, sys
        from kerasad.cli import main
        assert "keras_tuner" not in sys.modules, "kerasad alone must not import a tuner"
        from kerasad.tuning import DetectorHyperModel
        {fit}
        def fit_or_die(self, hp, model, **options):
            if hp.values["kl_weight"] == {fatal!r}:
                os.kill(os.getpid(), signal.SIGKILL)
            return fit(self, hp, model, **options)
        DetectorHyperModel.fit = fit_or_die
        main()
        """
    ).format(fit=FIT, fatal=read(tmp_path / "whole")[2]["values"]["kl_weight"])
    words = ["tune", plate, "--output", tmp_path / "search", "--config", config, "--trials", 4]
    command = [sys.executable, "-c", killed, *map(str, words)]
    process = subprocess.run(command, capture_output=True, check=False)
    assert process.returncode == -signal.SIGKILL, process.stderr.decode()
    found = [row["status"] for row in read(tmp_path / "search")]
    assert found == ["completed", "completed", "running"]

    result = tune(plate, tmp_path / "search", config, "--trials", 4)
    assert result.exit_code == 0, result.output + str(result.exception)
    assert "Continuing: 2 of 4 trials are done." in result.output
    rows, expected = read(tmp_path / "search"), read(tmp_path / "whole")
    assert [row.pop("attempts") for row in rows] == [1, 1, 2, 1]
    for row in (*rows, *expected):
        del row["seconds"]
        row.pop("attempts", None)
    assert rows == expected
    assert read(tmp_path / "search", "best_config.json") == read(
        tmp_path / "whole", "best_config.json"
    )


@pytest.mark.slow
def test_a_folder_is_continued_extended_or_refused(plate, config, tmp_path, quick):
    output = tmp_path / "search"
    assert tune(plate, output, config, "--trials", 1).exit_code == 0
    first = read(output)
    assert tune(plate, output, config, "--trials", 2).exit_code == 0
    assert read(output)[0] == first[0]
    assert len(read(output)) == 2

    for options, named in [
        (["--trials", 1], "`trials` is 2 there, 1 here"),
        (["--trials", 2, "--seed", 1], "`training.seed` is 0 there, 1 here"),
        (["--trials", 2, "--tuner", "bayesian"], "`tuner` is 'random' there, 'bayesian' here"),
        (["--trials", 2, "--image-size", "24x24"], "`data.image_size` is '16x16' there"),
        (["--trials", 2, "--adacos", "pretext"], "`model.arguments.adacos` is 'none' there"),
    ]:
        result = tune(plate, output, config, *options)
        assert result.exit_code == 2, result.output + str(result.exception)
        message = result.stderr.strip().splitlines()[-1]
        assert named in message, message
        assert "--overwrite" in message
    assert len(read(output)) == 2
    described = read(output, "search.json")
    (output / "search.json").write_text(json.dumps({**described, "images": "others"}))
    result = tune(plate, output, config, "--trials", 2)
    assert "another search (`images` is" in result.stderr
    assert tune(plate, output, config, "--trials", 1, "--overwrite").exit_code == 0
    assert read(output)[0]["values"] == first[0]["values"]
    assert len(read(output)) == 1


def test_a_folder_with_anything_else_is_never_replaced(plate, config, tmp_path):
    output = tmp_path / "search"
    output.mkdir()
    (output / "photo.png").write_bytes(b"")
    result = tune(plate, output, config, "--overwrite")
    assert result.exit_code == 2
    assert "is not a search" in result.stderr
    assert os.listdir(output) == ["photo.png"]


def test_a_name_with_signs_of_a_pattern_is_as_good_as_any(searched):
    assert sorted(os.listdir(searched)) == [
        "best_config.json",
        "search.json",
        "trials.json",
    ]


@pytest.mark.parametrize(
    ("options", "named"),
    [(["--trials", 0], "`trials`"), (["--latent-dim", 0], "`latent_dim`")],
)
def test_a_bad_argument_is_refused_before_anything_is_written(
    options, named, plate, config, tmp_path
):
    result = tune(plate, tmp_path / "search", config, *options)
    assert result.exit_code == 2
    assert named in result.stderr
    assert not (tmp_path / "search").exists()


def test_a_missing_package_is_named(monkeypatch):
    for name in [name for name in sys.modules if name.startswith("kerasad.tuning")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "keras_tuner", None)
    with pytest.raises(InputError, match=r'keras_tuner, .*run `pip install "\.\[tuning'):
        import kerasad.tuning  # noqa: F401
