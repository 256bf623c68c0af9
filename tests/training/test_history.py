import math

import pytest

from kerasad.errors import InputError
from kerasad.training.history import HistoryWriter, read_history


def test_history_has_a_row_an_epoch_and_keeps_the_order_of_the_logs(tmp_path):
    writer = HistoryWriter(tmp_path / "history.csv")
    for epoch, logs in enumerate([{"loss": 2.0, "kl_loss": 0.25}, {"loss": 1.5, "val_loss": 3.0}]):
        writer.on_epoch_begin(epoch)
        writer.on_epoch_end(epoch, logs)

    lines = (tmp_path / "history.csv").read_text().splitlines()
    assert lines[0] == "epoch,loss,kl_loss,val_loss,seconds"
    assert lines[1].startswith("1,2.0,0.25,,")
    history = read_history(tmp_path / "history.csv")
    assert history["epoch"] == [1, 2]
    assert history["loss"] == [2.0, 1.5]
    assert math.isnan(history["kl_loss"][1])
    assert history["val_loss"][1] == 3.0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"line 1: it is not the header of a history"),
        ("junk\n", r"line 1: it is not the header of a history"),
        ("epoch,loss\n1,2.0\n", r"line 1: it is not the header of a history"),
        ("epoch,loss,seconds\n", r"line 1: no epoch follows"),
        ("epoch,loss,seconds\n1,2.0,3.0\n2,x\x01,3.0\n", r"line 3: could not convert"),
        ("epoch,loss,seconds\n1,2.0,3.0\n2,1", r"line 3: it has 2 cells, the header 3"),
        ("epoch,loss,seconds\n1,2.0,\n", r"line 2: `seconds` must be a finite number, found ''"),
    ],
)
def test_a_damaged_history_is_named_with_its_line(tmp_path, text, message):
    path = tmp_path / "history.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=r"history\.csv, " + message):
        read_history(path)


def test_a_history_that_is_no_text_or_not_there_is_named(tmp_path):
    (tmp_path / "history.csv").write_bytes(b"\xff\xfe\x00")
    for name, message in (("history.csv", ", line 1: 'utf-8' codec"), ("gone.csv", " cannot be")):
        with pytest.raises(InputError, match=name + message):
            read_history(tmp_path / name)
