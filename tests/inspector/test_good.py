"""A session on a real run: "this is good" changes the next answer."""

import pytest

from kerasad.errors import InputError
from kerasad.inspector.renewal import CALIBRATE, UPDATE, pictures_folder
from kerasad.inspector.session import Session
from kerasad.inspector.sources import open_source

pytestmark = pytest.mark.slow


def test_this_is_good_changes_the_next_answer(streaks, tmp_path, trained):
    output = tmp_path / "tuned"
    session = Session(open_source(trained), streaks, output)
    numbers = [each["id"] for each in session.describe()["pictures"]]
    before = [session.answer(number) for number in numbers]
    threshold = session.describe()["threshold"]
    assert all(answer["score"] > threshold for answer in before)
    for number in numbers[:4]:
        session.mark(number, True)
    with pytest.raises(InputError, match="at least 5 good pictures"):
        session.renew(CALIBRATE)
    session.mark(numbers[4], True)
    with pytest.raises(InputError, match="vae_gan would have to be trained anew"):
        session.renew(UPDATE)
    session.renew(CALIBRATE)
    session.wait()
    state = session.describe()
    assert state["renewal"]["problem"] is None
    assert session.written == [output]
    assert (state["name"], state["generation"]) == ("tuned", 1)
    assert len(list(pictures_folder(output).iterdir())) == 5
    after = [session.answer(number) for number in numbers]
    assert min(answer["score"] for answer in after) <= state["threshold"]
    assert state["threshold"] > threshold
    # The new run knows the pictures that set its thresholds, and the next one has its own name.
    assert [answer["known"] for answer in after] == [*["calibration"] * 5, None]
    assert state["renewal"]["output"].endswith("tuned-2")
