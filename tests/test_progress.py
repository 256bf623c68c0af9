"""A phase of the work on a terminal and in a log."""

import pytest

from kerasad.progress import Phase


@pytest.fixture
def terminal(monkeypatch):
    """Output is taken for a terminal."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "100")


def work(total=3, **options):
    with Phase("measuring scales", total, **options) as phase:
        for _ in range(3):
            phase.advance()


def test_a_log_has_one_line_in_the_end(capsys):
    work()
    assert capsys.readouterr().out == "measuring scales: 3 images, 0 s\n"
    work(total=None, unit="batch")
    assert capsys.readouterr().out == "measuring scales: 3 batches, 0 s\n"


def test_a_log_hears_of_a_long_phase_while_it_lasts(capsys):
    work(silent_seconds=-1.0)
    assert capsys.readouterr().out.splitlines()[:2] == [
        "measuring scales: 1 of 3 images, about 0 s left",
        "measuring scales: 2 of 3 images, about 0 s left",
    ]
    work(total=None, silent_seconds=-1.0)
    assert capsys.readouterr().out.startswith("measuring scales: 1 image so far\n")


def test_nothing_is_shown_unless_asked(capsys, terminal):
    work(verbose=0)
    assert capsys.readouterr().out == ""


def test_a_terminal_has_one_line_with_a_bar_and_the_note(capsys, terminal):
    with Phase("training", 2, "epoch") as phase:
        phase.say("for logs alone")
        phase.advance(note="loss [0.5]")
        phase.advance()
    shown = capsys.readouterr().out
    last = shown.rstrip().rpartition("training")[2]
    assert "100%" in last
    assert "loss [0.5]" in last  # no markup
    assert "for logs alone" not in shown
    assert shown.count("\n") <= 2


def test_a_long_note_takes_one_line_of_a_narrow_terminal(capsys, terminal, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    with Phase("training", 2, "epoch") as phase:
        for _ in range(2):
            phase.advance(note="loss 0.982, val_loss 0.879, synthetic_iou 0.00412")
    assert capsys.readouterr().out.count("\n") <= 2


def test_a_terminal_that_cannot_move_its_cursor_is_a_log(capsys, terminal, monkeypatch):
    monkeypatch.setenv("TERM", "dumb")
    work()
    assert capsys.readouterr().out == "measuring scales: 3 images, 0 s\n"


def test_a_phase_that_fails_ends_its_line_and_says_no_time(capsys, terminal, monkeypatch):
    def fail():
        with Phase("measuring scales", 3) as phase:
            phase.advance()
            raise ValueError

    with pytest.raises(ValueError):  # noqa: PT011
        fail()
    assert capsys.readouterr().out.rstrip("\n").endswith("\x1b[?25h")  # the cursor is back
    monkeypatch.delenv("FORCE_COLOR")
    with pytest.raises(ValueError):  # noqa: PT011
        fail()
    assert capsys.readouterr().out == ""


def test_a_phase_within_another_is_shown_too(capsys, terminal):
    with Phase("training", 1, "epoch") as outer:
        work()
        outer.advance()
    shown = capsys.readouterr().out
    assert "measuring scales" in shown
    assert "training" in shown
