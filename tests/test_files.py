import json
import math
import os

import pytest

from kerasad.files import replace_file, write_json


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path):
    path = tmp_path / "values.json"

    def interrupted():
        with replace_file(path) as work:
            work.write_text("half")
            raise KeyboardInterrupt

    write_json(path, {"a": 1})
    with pytest.raises(ValueError, match="Out of range"):
        write_json(path, {"a": math.nan})
    with pytest.raises(KeyboardInterrupt):
        interrupted()

    assert json.loads(path.read_text()) == {"a": 1}
    assert os.listdir(tmp_path) == ["values.json"]


def test_a_folder_that_refuses_is_told_by_the_name_of_the_file(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OSError, match="file") as caught:
        write_json(tmp_path / "file" / "values.json", 1)
    assert "partial" not in str(caught.value)

    def refused():
        with replace_file(tmp_path / "values.json") as work:
            raise PermissionError(13, "Permission denied", str(work))

    with pytest.raises(PermissionError) as caught:
        refused()
    assert caught.value.filename == str(tmp_path / "values.json")
