"""`--json` of the verbs that read a run: one object on standard output, whatever else they say."""

import json

import pytest
from command_line import must, write_image

from kerasad.runs.run import Run

WORDS = {
    "predict": ("{run}", "{data}/test/burn", "--output", "{out}"),
    "evaluate": ("{run}",),
    "calibrate": ("{run}", "--false-alarm-rate", "0.67"),
    "inspect-data": ("{data}", "--output", "{out}.png"),
}


@pytest.mark.parametrize("verb", WORDS)
def test_a_verb_prints_one_object(verb, run, data, tmp_path):
    words = [word.format(run=run, data=data, out=tmp_path / "out") for word in WORDS[verb]]
    result = must(verb, *words, "--json")
    found = json.loads(result.stdout)
    if verb == "predict":
        assert (found["scored"], found["failed"], found["output"]) == (3, 0, words[-1])
        assert found["defective"] == len(found["called"])
    elif verb == "evaluate":
        assert found["metrics"] == json.loads((run / "metrics.json").read_text())
    elif verb == "calibrate":
        assert found["calibration"] == json.loads((run / "calibration.json").read_text())
    else:
        assert (found["good"], found["test"]) == (10, {"good": 2, "burn": 3})
        assert found["contact_sheet"] == words[-1]
    assert result.stderr  # what people read


def test_quiet_prints_nothing(data, tmp_path):
    write_image(tmp_path / "good/0.png", 1)
    sheet = tmp_path / "sheet.png"
    assert must("inspect-data", tmp_path / "good", "--output", sheet, "--quiet").output == ""
    assert sheet.exists()


def test_a_run_sums_up_what_it_is(trained):
    found = Run(trained).summary()
    assert found["images"]["train"] == 7
    assert found["calibration"]["num_images"] == 2
