"""The session on a real run."""

import json

import pytest

from kerasad.inspector.renewal import CALIBRATE
from kerasad.inspector.session import Session
from kerasad.inspector.sources import open_source
from kerasad.runs.predict import predict_files
from kerasad.runs.run import open_run

pytestmark = pytest.mark.usefixtures("detectors_opened_once")


@pytest.fixture(scope="module")
def opened(trained):
    return open_source(trained)


def test_an_answer_is_that_of_predict(opened, trained, data, tmp_path):
    paths = sorted((data / "test").rglob("*.png"))
    session = Session(opened, paths)
    numbers = [each["id"] for each in session.describe()["pictures"]]
    found = [session.answer(number) for number in numbers]
    predict_files(open_run(trained), paths, tmp_path / "out", verbose=0)
    lines = (tmp_path / "out/predictions.jsonl").read_text().splitlines()
    expected = [json.loads(line) for line in lines]
    for answer, prediction in zip(found, expected, strict=True):
        assert answer["name"] == prediction["path"]
        assert answer["score"] == pytest.approx(prediction["anomaly_score"], rel=1e-5)
        assert answer["p"] == prediction["p_value"]
        if prediction["is_anomalous"]:
            places = [box["in_file"] for box in prediction["boxes"]]
            boxes = [{k: box[k] for k in places[0]} for box in answer["boxes"]]
            assert boxes == places


def test_a_run_that_fails_is_a_sentence_and_the_former_one_answers_on(
    opened, streaks, tmp_path, monkeypatch
):
    def fail(*arguments):
        raise OSError(28, "No space left on device", "/disk/run")

    monkeypatch.setattr("kerasad.inspector.session.renew_run", fail)
    session = Session(opened, streaks, tmp_path / "tuned")
    for each in session.describe()["pictures"]:
        session.mark(each["id"], True)
    session.renew(CALIBRATE)
    session.wait()
    state = session.describe()
    assert "/disk/run cannot be read or written" in state["renewal"]["problem"]
    assert (state["generation"], session.written) == (0, [])


def test_a_file_that_trained_the_run_is_recognized(opened, data, trained):
    name = next(iter(open_run(trained).provenance.hashes("train").values()))
    session = Session(opened)
    number = session.add("a copy.png", (data / name).read_bytes())
    assert session.answer(number)["known"] == "train"
    session.mark(number, True)
    assert session.describe()["renewal"]["ways"]["calibrate"]["count"] == 0


def test_each_expert_has_its_map(opened, data):
    session = Session(opened, [data / "test/burn/000.png"])
    names = [each["name"] for each in session.expert_maps(1)]
    assert names == list(session.describe()["experts"])
