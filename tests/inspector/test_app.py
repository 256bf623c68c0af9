import numpy as np
import pytest

from kerasad.errors import InputError
from kerasad.inspector import session as sessions
from kerasad.inspector.session import Session

SPOT = np.s_[8:16, 12:24]


def post(ask, name, data):
    return ask.post("pictures", params={"name": name}, content=data).json()


def test_the_page_is_served_under_a_policy_that_admits_nothing_else(ask):
    answer = ask.get("")
    policy = answer.headers["content-security-policy"]
    assert answer.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    for sign in ("http://", "https://", "//cdn", "@import"):
        assert sign not in answer.text.replace("http://www.w3.org/2000/svg", "")


def test_a_picture_is_answered_with_numbers_boxes_and_pictures(ask, file):
    found = post(ask, "shift 1/a.png", file(spot=SPOT))
    assert found["name"] == "shift 1/a.png"
    assert found["score"] == pytest.approx(5.0)
    box = {"x": 12, "y": 8, "width": 12, "height": 8, "area": 96}
    assert [{**box, "peak": pytest.approx(5.0)}] == found["boxes"]
    assert not found["onlyPeak"]
    assert found["photo"].startswith("data:image/jpeg;base64,")
    assert found["heat"].startswith("data:image/png;base64,")
    assert ask.get(f"pictures/{found['id']}").json() == found
    (entry,) = ask.get("state").json()["pictures"]
    assert entry["answer"]["score"] == found["score"]
    (expert,) = ask.get(f"pictures/{found['id']}/maps").json()
    assert expert["name"] == "brightness"


def test_a_good_picture_has_a_box_only_for_a_lower_threshold(ask, file):
    found = post(ask, "a.png", file())
    assert found["onlyPeak"]
    assert len(found["boxes"]) == 1


@pytest.mark.parametrize(
    ("name", "data", "part"),
    [
        ("torn.png", b"\x89PNG\r\n\x1a\n and nothing else", "torn.png: the start of the file is"),
        ("notes.txt", b"some words that are no picture", "notes.txt: this is a file of an unknown"),
    ],
)
def test_a_broken_file_gives_a_message_that_names_it(ask, name, data, part):
    assert post(ask, name, data)["error"].startswith(part)
    assert ask.get("state").json()["pictures"] == []


def test_a_large_picture_is_refused_in_the_words_of_the_command_line(ask, file):
    error = post(ask, "large.png", file(size=(200, 100)))["error"]
    assert error.startswith("large.png: the image is 200 x 100 pixels")
    assert "--pixel-limit" in error


def test_an_upload_ends_at_the_limit_whatever_its_header_says(ask, session, monkeypatch):
    monkeypatch.setattr(Session, "upload_limit", 1000)
    answer = ask.post("pictures", params={"name": "a.png"}, content=b"x" * 1001)
    assert answer.status_code == 413
    assert "a.png: the file has more than" in answer.json()["error"]
    # Without a length in the header.
    parts = (b"x" * 100 for _ in range(11))
    assert ask.post("pictures", params={"name": "a.png"}, content=parts).status_code == 413


def test_the_session_holds_so_many_pictures_and_bytes(ask, file, monkeypatch):
    monkeypatch.setattr(sessions, "MOST_PICTURES", 2)
    first = post(ask, "0.png", file())
    assert post(ask, "0.png", file())["id"] == first["id"]
    post(ask, "1.png", file())
    assert "holds 2 pictures at most" in post(ask, "2.png", file())["error"]
    assert len(ask.post("forget").json()["pictures"]) == 0
    monkeypatch.setattr(sessions, "MOST_UPLOADED", 10)
    assert "MB of pictures at most" in post(ask, "3.png", file())["error"]


@pytest.mark.parametrize(
    "path",
    [
        "../../etc/passwd",
        "%2e%2e/%2e%2e/etc/passwd",
        "pictures/../../../etc/passwd",
        "static/app.py",
        "pictures/1.5",
        "pictures/-1",
    ],
)
def test_no_path_of_the_disk_is_served(ask, path):
    assert ask.get(path).status_code == 404


def test_a_file_is_named_by_its_number_alone(ask):
    assert "no such picture" in ask.get("pictures/7").json()["error"]


def test_paths_of_the_terminal_are_read_when_they_are_asked_for(source, tmp_path, file):
    path = tmp_path / "a.png"
    path.write_bytes(file(spot=SPOT))
    session = Session(source, [path])
    (entry,) = session.describe()["pictures"]
    assert (entry["name"], entry["answer"]) == (str(path), None)
    assert session.answer(entry["id"])["score"] == pytest.approx(5.0)
    path.write_bytes(b"broken by now")
    with pytest.raises(InputError, match=r"a\.png: this is a file of an unknown"):
        session.answer(entry["id"])


def test_good_pictures_are_counted_and_a_model_without_a_run_says_why_not(ask, file):
    found = post(ask, "a.png", file())
    renewal = ask.post(f"pictures/{found['id']}/good", json={"good": True}).json()
    assert renewal["marked"] == 1
    assert "A SavedModel cannot be calibrated again" in renewal["ways"]["update"]["problem"]
    assert "cannot be calibrated again" in ask.post("renew", json={"how": "update"}).json()["error"]
    assert len(ask.post("forget").json()["pictures"]) == 1  # the good ones stay
    assert ask.post(f"pictures/{found['id']}/good", json={"good": False}).json()["marked"] == 0


@pytest.mark.parametrize("body", [b"", b"[1]", b"{", b'{"how": "' + b"x" * 20_000 + b'"}', b"\xff"])
def test_what_is_no_small_object_is_refused(ask, body):
    assert ask.post("renew", content=body).status_code == 400


def test_an_unknown_way_is_refused(ask):
    assert "must be update or calibrate" in ask.post("renew", json={"how": "erase"}).json()["error"]


def test_a_failure_of_one_picture_is_a_sentence(ask, file, source, monkeypatch, caplog):
    def fail(opened):
        raise KeyError("an expert")

    monkeypatch.setattr(source, "predict", fail)
    answer = ask.post("pictures", params={"name": "a.png"}, content=file())
    assert answer.status_code == 500
    assert "The inspector failed (KeyError)" in answer.json()["error"]
    assert "an expert" in caplog.text
