import json
import socket
import sys

import pytest
from command_line import must, refused
from starlette.testclient import TestClient

from kerasad.errors import InputError
from kerasad.inspector import serving
from kerasad.inspector.sources import open_source


@pytest.fixture
def served(monkeypatch):
    """What would be served: applications with the addresses of their sockets."""
    found = []
    monkeypatch.setattr(
        serving, "serve", lambda app, listener: found.append((app, listener.getsockname()))
    )
    return found


def test_the_verb_prints_an_address_that_this_machine_alone_reaches(trained, data, served):
    folder = data / "test/burn"
    result = must("inspect", trained, folder, "--no-open", "--json")
    address = json.loads(result.stdout)["address"]
    assert f"The inspector is at {address}" in result.stderr
    ((app, (host, port)),) = served
    assert host == "127.0.0.1"
    assert address.startswith(f"http://127.0.0.1:{port}/")
    state = TestClient(app, base_url=address).get("state").json()
    assert [each["name"] for each in state["pictures"]] == sorted(map(str, folder.iterdir()))
    assert state["name"] == trained.name


def test_a_port_in_use_is_one_sentence(trained):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        message = refused("inspect", trained, "--port", port, "--no-open")
    assert f"Port {port} cannot be used" in message
    assert "choose another --port" in message


def test_a_run_that_is_there_is_never_written_over(trained, run):
    message = refused("inspect", trained, "--output", run, "--no-open")
    assert "choose another --output" in message


def test_pictures_that_are_not_there_are_named(trained, tmp_path, served):
    message = refused("inspect", trained, tmp_path / "none.png", "--no-open")
    assert "none.png" in message
    assert served == []


def test_a_missing_extra_is_a_sentence_with_the_command(trained, monkeypatch):
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    message = refused("inspect", trained, "--no-open")
    assert (
        'The inspector needs uvicorn, which is missing or incomplete: run `pip install "' in message
    )
    assert "[inspector]" in message


def test_what_is_no_model_is_refused(tmp_path, data):
    path = tmp_path / "weights.h5"
    path.write_bytes(b"x")
    for wrong, part in [
        (path, "neither a RUN nor a detector"),
        (data, "is not a run"),
        (tmp_path / "none", "is not a folder"),
    ]:
        with pytest.raises(InputError, match=part):
            open_source(wrong)
    (tmp_path / "3").mkdir()
    (tmp_path / "3/saved_model.pb").write_bytes(b"x")
    with pytest.raises(InputError, match=r"model_card\.json cannot be read"):
        open_source(tmp_path)


def test_a_detector_file_answers_without_its_run(trained):
    source = open_source(trained / "detector.keras")
    assert (source.kind, source.run) == ("detector", None)
    assert source.describe()["hasScores"]


@pytest.mark.slow
def test_a_saved_model_answers_as_its_run(trained, data, tmp_path):
    from kerasad.inspector.session import Session

    must("export", trained, "--output", tmp_path / "plates", "--no-warmup")
    path = data / "test/burn/000.png"
    answers = [
        Session(open_source(each), [path]).answer(1) for each in (trained, tmp_path / "plates")
    ]
    ours, exported = answers
    assert exported["score"] == pytest.approx(ours["score"], rel=1e-3)
    assert exported["boxes"][0]["x"] == pytest.approx(ours["boxes"][0]["x"], abs=1)
    assert exported["p"] == ours["p"]
