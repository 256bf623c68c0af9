import dataclasses
import json
import os

import pytest

from kerasad.benchmark.folder import open_folder, read_rows
from kerasad.benchmark.plan import plan_rows
from kerasad.errors import InputError


@pytest.fixture
def planned(config, categories):
    return plan_rows(config, [str(categories)], ["vae_gan"], [0, 1])


def begin(path, planned, overwrite=False, rows=()):
    with open_folder(path, planned, overwrite) as folder:
        for row in rows:
            folder.append(row)
        return folder.rows


def test_rows_are_taken_up_where_they_were_left(planned, make_row, tmp_path):
    rows = [make_row(row) for row in planned[:2]]
    assert begin(tmp_path / "out", planned, rows=rows) == rows
    assert begin(tmp_path / "out", planned) == rows
    assert os.listdir(tmp_path / "out") == ["rows.jsonl"]


def test_of_two_rows_of_the_same_training_the_last_counts(planned, make_row, tmp_path):
    with open_folder(tmp_path / "out", planned, False) as folder:
        assert folder.find(planned[1]) is None
        folder.append(make_row(planned[0], aupro=0.1))
        folder.append(make_row(planned[1], aupro=0.2))
        folder.append(make_row(planned[0], aupro=0.3))
        assert folder.find(planned[0])["aupro"] == 0.3
        assert folder.find(planned[1])["aupro"] == 0.2


def test_a_damaged_row_is_named_by_its_line(planned, make_row, tmp_path):
    begin(tmp_path, planned, rows=[make_row(planned[0])])
    path = tmp_path / "rows.jsonl"
    whole = path.read_text()
    for damage in (whole[:50], "[]\n", '{"category": "plate"}\n'):
        path.write_text(whole + damage)
        with pytest.raises(InputError, match=r"rows\.jsonl, line 2: .* pass --overwrite"):
            read_rows(path)
    assert begin(tmp_path, planned, overwrite=True) == []


def test_a_folder_with_anything_else_is_never_touched(planned, tmp_path):
    (tmp_path / "photo.png").write_bytes(b"")
    for overwrite in (False, True):
        with pytest.raises(InputError, match="is not a benchmark"):
            begin(tmp_path, planned, overwrite)
    assert os.listdir(tmp_path) == ["photo.png"]


def test_a_folder_that_another_benchmark_uses_is_refused(planned, tmp_path):
    with (
        open_folder(tmp_path, planned, False),
        pytest.raises(InputError, match="used by another benchmark"),
    ):
        begin(tmp_path, planned, overwrite=True)
    assert begin(tmp_path, planned) == []


def test_another_configuration_is_refused_and_more_rows_are_not(
    planned, config, categories, make_row, tmp_path
):
    begin(tmp_path, planned, rows=[make_row(planned[0])])
    changes = {
        "`data.image_size` is '32x32' there, '64' here": {
            "data": dataclasses.replace(config.data, image_size="64")
        },
        "`training.epochs` is 1 there, 2 here": {
            "training": dataclasses.replace(config.training, epochs=2)
        },
        "`model.arguments.filters` is 2 there, 4 here": {
            "model": dataclasses.replace(
                config.model, arguments={**config.model.arguments, "filters": 4}
            )
        },
    }
    for part, change in changes.items():
        other = dataclasses.replace(config, **change)
        rows = plan_rows(other, [str(categories)], ["vae_gan"], [0])
        with pytest.raises(InputError) as caught:
            begin(tmp_path, rows)
        assert part in str(caught.value)
        assert "--overwrite" in str(caught.value)
    more = plan_rows(config, [str(categories / "plate")], ["cavga_d"], [7])
    assert len(begin(tmp_path, more)) == 1


def test_other_images_under_the_same_name_are_refused(planned, make_row, tmp_path):
    begin(tmp_path, planned, rows=[make_row(planned[0]) | {"images": "others"}])
    with pytest.raises(InputError, match="the images of bottle are others there"):
        begin(tmp_path, planned)


def test_overwriting_deletes_a_benchmark_and_nothing_else(planned, make_row, tmp_path):
    begin(tmp_path, planned, rows=[make_row(planned[0])])
    for name in ("benchmark.json", "benchmark.md", "notes.txt", "logs/bottle_vae_gan_seed0.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x")
    for name in ("runs/bottle_vae_gan_seed0", "runs/mine"):
        (tmp_path / name).mkdir(parents=True)
    assert begin(tmp_path, planned, overwrite=True) == []
    assert sorted(os.listdir(tmp_path)) == ["notes.txt", "rows.jsonl", "runs"]
    assert os.listdir(tmp_path / "runs") == ["mine"]


def test_only_what_killed_trainings_of_its_rows_left_is_removed(planned, tmp_path):
    for name in (".bottle_vae_gan_seed0.partial-ab", ".mine.partial-ab", "mine"):
        (tmp_path / "out/runs" / name).mkdir(parents=True)
    (tmp_path / "out/rows.jsonl").write_text("")
    begin(tmp_path / "out", planned)
    assert sorted(os.listdir(tmp_path / "out/runs")) == [".mine.partial-ab", "mine"]


def test_rows_are_strict_json(planned, make_row, tmp_path):
    with open_folder(tmp_path, planned, False) as folder:
        folder.append(make_row(planned[0]))
        with pytest.raises(ValueError, match="JSON"):
            folder.append(make_row(planned[1], aupro=float("nan")))
    lines = (tmp_path / "rows.jsonl").read_text().splitlines()
    assert [json.loads(line)["seed"] for line in lines] == [0]
