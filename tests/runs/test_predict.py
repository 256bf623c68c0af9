import csv
import json
import os
import shutil
import unicodedata
from pathlib import Path

import numpy as np
import pytest
from command_line import must, refused, write_image
from PIL import Image

from kerasad.data.image_stream import ImageStream
from kerasad.errors import InputError
from kerasad.runs.predict import PredictionCount, describe_results, predict_files
from kerasad.runs.run import Run, open_run

LONG = "部" * 77
"""231 bytes: a name that a file may have, and its overlay with a few more letters may not."""


def read_lines(output):
    return [json.loads(line) for line in (output / "predictions.jsonl").open(encoding="utf-8")]


def scores(output):
    return {
        line["path"]: line["anomaly_score"] for line in read_lines(output) if "error" not in line
    }


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Photos whose names ask for one overlay, a photo that looks like an overlay, broken files."""
    folder = tmp_path_factory.mktemp("photos")
    names = [
        *("cam1/001.png", "cam2/001.png", "cam1/001.bmp", "cam1/001.png.png", "cam1/001.bmp.png"),
        *("cam1/Part.png", "cam1/part.png", "cam1/my_overlay.png", "cam1/my.png"),
        *(unicodedata.normalize(form, "cam2/é.png") for form in ("NFC", "NFD")),
        *(f"{LONG}.png", f"{LONG}.bmp", "=1+1.png"),
    ]
    for number, name in enumerate(names):
        write_image(folder / name, number)
    (folder / "cam2/002.png").write_bytes((folder / "cam2/001.png").read_bytes()[:500])
    write_image(folder / "name.png", 1)
    os.rename(folder / "name.png", os.fsencode(folder) + b"/\xff.png")
    return folder


@pytest.fixture(scope="module")
def predicted(trained, photos, tmp_path_factory):
    """The results of `photos` inside their own folder, predicted twice, and what was printed.

    A photo disappears after it was listed; a user keeps a file under the name of an overlay.
    """
    write_image(photos / "gone.png", 1)
    output = photos / "results"
    write_image(output / "cam1/my_overlay.png", 99)  # not a result: no list says so
    opening = ImageStream.__init__

    def remove_one(self, *arguments, **options):
        (photos / "gone.png").unlink(missing_ok=True)
        opening(self, *arguments, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ImageStream, "__init__", remove_one)
        first = must("predict", trained, photos, "--output", output)
    kept = tmp_path_factory.mktemp("first") / "results"
    shutil.copytree(output, kept)
    second = must("predict", trained, photos, "--output", output)
    return {"first": kept, "second": output, "printed": (first, second)}


def test_every_photo_has_a_line_and_an_overlay_of_its_own(predicted):
    lines = [line for line in read_lines(predicted["first"]) if "error" not in line]
    overlays = {line["overlay"] for line in lines}
    assert len(lines) == len(overlays) == 15  # 14 photos, and that of the user in the results
    for overlay in overlays:
        with Image.open(predicted["first"] / overlay) as picture:
            assert picture.size[0] == 256
            assert "score" in picture.text["Description"]
    pictures = {(predicted["first"] / overlay).read_bytes() for overlay in overlays}
    assert len(pictures) == 15


def test_each_unusable_file_costs_one_line(predicted):
    first, _ = predicted["printed"]
    failed = {
        Path(line["path"]).name: line["error"]
        for line in read_lines(predicted["first"])
        if "error" in line
    }
    assert set(failed) == {"002.png", "gone.png", "\\udcff.png"}
    assert "not valid UTF-8" in failed["\\udcff.png"]
    assert "Files that could not be used: 3" in first.stderr


def test_no_file_of_the_user_is_replaced(predicted, tmp_path):
    write_image(tmp_path / "same.png", 99)
    for output in (predicted["first"], predicted["second"]):
        assert (output / "cam1/my_overlay.png").read_bytes() == (tmp_path / "same.png").read_bytes()


def test_results_are_no_photos_the_second_time(predicted):
    first, second = (scores(predicted[name]) for name in ("first", "second"))
    assert first == second
    _, again = predicted["printed"]
    assert "Overlays of earlier predictions that were not read: 15." in again.stdout
    assert (
        f"Written to {predicted['second'] / 'predictions.jsonl'}, predictions.csv" in again.stdout
    )


def test_the_table_says_what_the_list_says(predicted):
    with (predicted["first"] / "predictions.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    for row, line in zip(rows, read_lines(predicted["first"]), strict=True):
        assert row["path"] == line["path"]
        assert row["error"] == line.get("error", "")
        if "error" not in line:
            assert row["decision"] == line["decision"]
            assert float(row["anomaly_score"]) == line["anomaly_score"]
            assert int(row["num_boxes"]) == len(line["boxes"])


def test_a_prediction_of_results_alone_says_so(predicted, trained, tmp_path):
    path = predicted["first"] / read_lines(predicted["first"])[0]["overlay"]
    message = refused("predict", trained, path, "--output", tmp_path / "out")
    assert "only overlays of earlier predictions" in message
    assert not (tmp_path / "out").exists()


class ReplacedRun(Run):
    """A run that `train --overwrite` replaces when its detector is first loaded."""

    def load_detector(self):
        new = self.path.with_name("new")
        if new.exists():
            shutil.rmtree(self.path)
            new.rename(self.path)
        return super().load_detector()


def test_configuration_and_detector_are_of_one_run(run, data, tmp_path):
    new = shutil.copytree(run, tmp_path / "new")
    config = json.loads((new / "config.json").read_text())
    config["data"]["pixel_limit"] = 32  # the images have 1024
    (new / "config.json").write_text(json.dumps(config))
    replaced = ReplacedRun(run)
    with pytest.raises(InputError, match="the limit is"):
        predict_files(replaced, [data / "test/burn"], tmp_path / "out", verbose=0)


def test_what_the_detector_cannot_score_costs_one_line(trained, data, tmp_path, monkeypatch):
    run = open_run(trained)
    detector = run.load_detector()
    stream = type(detector).predict_stream

    def spoil(self, dataset, *options):
        for outputs, inputs, indices in stream(self, dataset, *options):
            outputs = {name: np.array(value) for name, value in outputs.items()}
            outputs["anomaly_score"][np.asarray(indices) == 1] = np.nan
            yield outputs, inputs, indices

    monkeypatch.setattr(type(detector), "predict_stream", spoil)
    count = predict_files(run, [data / "test/burn"], tmp_path / "out", verbose=0)
    assert (count.scored, count.failed) == (2, 1)
    (failed,) = (line for line in read_lines(tmp_path / "out") if "error" in line)
    assert failed["path"].endswith("001.png")
    assert "not a number" in failed["error"]


def test_predict_mirrors_paths_and_names_bad_files(run, data, tmp_path):
    images = shutil.copytree(data / "test", tmp_path / "images")
    (images / "burn" / "broken.png").write_bytes(b"no image")
    Image.new("1", (8000, 8000)).save(images / "burn" / "large.png")
    results = tmp_path / "results"
    result = must("predict", run, images, "--output", results)

    lines = [json.loads(line) for line in (results / "predictions.jsonl").open()]
    scored = [line for line in lines if "error" not in line]
    assert len(scored) == 5
    for line in scored:
        assert set(line) == {
            "path",
            "anomaly_score",
            "threshold",
            "review_threshold",
            "p_value",
            "is_anomalous",
            "decision",
            "defect_area",
            "boxes",
            "image_size",
            "file_size",
            "overlay",
        }
        assert line["is_anomalous"] == (line["anomaly_score"] > line["threshold"])
        assert line["decision"] == ("defective" if line["is_anomalous"] else "good")
        assert line["image_size"] == line["file_size"] == [32, 32]
        for box in line["boxes"]:
            assert box["in_file"] == {name: box[name] for name in box["in_file"]}
        assert line["defect_area"] == sum(box["area"] for box in line["boxes"])
    failed = [line for line in lines if "error" in line]
    errors = {os.path.basename(line["path"]): line["error"] for line in failed}
    assert set(errors) == {"broken.png", "large.png"}
    assert errors["large.png"].endswith("raise --pixel-limit of `kerasad train`.")
    assert "--pixel-limit" in (results / "predictions.csv").read_text()
    assert "Files that could not be used: 2" in result.stderr
    named = [line["path"] for line in scored if line["decision"] == "defective"]
    assert [path for path in named if f"  defective: {path}\n" in result.stdout] == named[:10] != []
    overlay = Image.open(results / "burn" / "000_overlay.png")
    assert overlay.size[0] == 256
    assert overlay.size[1] > 256  # the caption
    assert not list(results.rglob(".*"))


@pytest.mark.slow
def test_predict_into_the_folder_of_the_photos_does_not_score_its_own_results(run, data, tmp_path):
    images = shutil.copytree(data / "test/good", tmp_path / "images")
    for _ in range(2):
        must("predict", run, images, "--output", images)
        lines = (images / "predictions.jsonl").read_text().splitlines()
        assert sorted(os.path.basename(json.loads(line)["path"]) for line in lines) == [
            "000.png",
            "001.png",
        ]


def test_predict_on_nothing_usable_is_an_error(run, tmp_path):
    (tmp_path / "broken.png").write_bytes(b"no image")
    message = refused("predict", run, tmp_path / "broken.png", "--output", tmp_path / "results")
    assert "broken.png" in message
    assert "error" in (tmp_path / "results" / "predictions.jsonl").read_text()


def test_predict_on_a_path_that_is_not_there_names_it(run, tmp_path):
    message = refused("predict", run, tmp_path / "gone.png", "--output", tmp_path / "results")
    assert "gone.png" in message


def test_the_first_ten_of_the_defective_files_are_named():
    count = PredictionCount()
    for number in range(12):
        count.add(f"good{number}.png", "good")
        count.add(f"bad{number}.png", "defective")
    lines = describe_results(count, "out").splitlines()
    assert lines[0] == "24 images scored, 12 called defective."
    assert lines[1:11] == [f"  defective: bad{number}.png" for number in range(10)]
    assert lines[11] == "  ... and 2 more, see predictions.csv"


def test_masks_of_a_data_set_are_no_photos(trained, data, tmp_path):
    test = shutil.copytree(data, tmp_path / "plate")
    shutil.rmtree(test / "train/good")
    (test / "train/good").mkdir()
    shutil.copy(data / "train/good/000.png", test / "train/good")
    mask = test / "ground_truth/burn/002_mask.png"
    result = must("predict", trained, test, mask, "--output", tmp_path / "out")
    paths = {Path(path).relative_to(test).as_posix() for path in scores(tmp_path / "out")}
    assert len(paths) == 7
    assert "ground_truth/burn/002_mask.png" in paths  # it was named
    assert "Masks that were not read: 2, such as" in result.stdout
