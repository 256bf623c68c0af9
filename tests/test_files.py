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
