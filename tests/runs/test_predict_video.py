"""`predict` on videos and on folders of frames."""

import csv
import json

import numpy as np
import pytest
from command_line import must, refused, write_image
from PIL import Image

SPOT = np.s_[10:18, 10:18]


def read_lines(output):
    return [json.loads(line) for line in (output / "predictions.jsonl").open(encoding="utf-8")]


@pytest.fixture(scope="module")
def frames(tmp_path_factory):
    """A folder of 12 frames, of which 5 to 8 have a spot, named as people count."""
    folder = tmp_path_factory.mktemp("video") / "frames"
    for number in range(12):
        spot = SPOT if 5 <= number <= 8 else None
        write_image(folder / f"f{number}.png", 40 + number, spot)
    return folder


@pytest.fixture(scope="module")
def video(frames):
    av = pytest.importorskip("av", reason="PyAV reads videos (extra video)")
    path = frames.with_name("clip.mkv")
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=10)
        stream.height = stream.width = 32
        stream.pix_fmt = "bgr0"
        for number in range(12):
            picture = Image.open(frames / f"f{number}.png")
            container.mux(stream.encode(av.VideoFrame.from_image(picture)))
        container.mux(stream.encode())
    return path


@pytest.fixture(scope="module")
def of_images(trained, frames, tmp_path_factory):
    output = tmp_path_factory.mktemp("images")
    must("predict", trained, frames, "--output", output)
    return {line["path"].split("/")[-1]: line for line in read_lines(output)}


def test_a_frame_is_scored_as_the_image_of_the_same_pixels(trained, video, of_images, tmp_path):
    result = must("predict", trained, video, "--output", tmp_path)
    lines = read_lines(tmp_path)
    assert [line["frame"] for line in lines] == list(range(12))
    np.testing.assert_allclose([line["time"] for line in lines], np.arange(12) / 10, atol=1e-3)
    for number, line in enumerate(lines):
        image = of_images[f"f{number}.png"]
        assert line["path"] == str(video)
        assert line["anomaly_score"] == pytest.approx(image["anomaly_score"], abs=1e-5)
        assert line["decision"] == image["decision"]
        assert line["file_size"] == [32, 32]
    called = [line["frame"] for line in lines if line["decision"] == "defective"]
    assert set(range(5, 9)) <= set(called) < set(range(12))
    assert f"12 frames scored, {len(called)} called defective" in result.output
    assert f"{video} frame {called[0]} ({called[0] / 10:.2f} s)" in result.output
    # Overlays of frames that are called defective alone.
    assert [line["overlay"] for line in lines if line["overlay"]] == [
        f"clip.mkv_frames/{number:06d}_overlay.png" for number in called
    ]
    assert len(list(tmp_path.glob("*/*.png"))) == len(called)
    with (tmp_path / "predictions.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["frame"] for row in rows] == [str(number) for number in range(12)]


def test_frames_in_a_folder_are_numbered_as_people_count(trained, frames, of_images, tmp_path):
    must("predict", trained, frames, "--frames", "--smooth", 3, "--output", tmp_path)
    lines = read_lines(tmp_path)
    assert [line["path"].split("/")[-1] for line in lines] == [f"f{n}.png" for n in range(12)]
    assert [line["frame"] for line in lines] == list(range(12))
    assert {line["time"] for line in lines} == {None}
    raw = [of_images[f"f{number}.png"]["anomaly_score"] for number in range(12)]
    np.testing.assert_allclose([line["frame_score"] for line in lines], raw, atol=1e-5)
    for number, line in enumerate(lines):
        window = sorted(raw[max(0, number - 2) : number + 1])
        median = window[(len(window) - 1) // 2]
        assert line["anomaly_score"] == pytest.approx(median, abs=1e-5)
        assert line["is_anomalous"] == (line["anomaly_score"] > line["threshold"])


def test_overlays_are_a_choice(trained, frames, tmp_path):
    must("predict", trained, frames, "--output", tmp_path, "--overlays", "none")
    assert {line["overlay"] for line in read_lines(tmp_path)} == {None}
    assert not list(tmp_path.glob("**/*.png"))


def test_a_video_beside_its_results_keeps_its_file_and_the_users(trained, video, tmp_path):
    clip = tmp_path / "clip.mkv"
    clip.write_bytes(video.read_bytes())
    (tmp_path / "clip.mkv_frames").write_text("a file of the user")
    theirs = tmp_path / "clip.mkv_frames-2/000005_overlay.png"
    write_image(theirs, 1)
    before = theirs.read_bytes()
    for _ in range(2):
        must("predict", trained, clip, "--output", tmp_path)
        overlays = [line["overlay"] for line in read_lines(tmp_path) if line["overlay"]]
        assert "clip.mkv_frames-2/000005-2_overlay.png" in overlays
        assert all((tmp_path / name).is_file() for name in overlays)
    assert theirs.read_bytes() == before
    assert clip.read_bytes() == video.read_bytes()


def test_a_video_that_is_cut_off_has_rows_up_to_the_break_and_a_sentence(trained, video, tmp_path):
    cut = tmp_path / "cut.mkv"
    cut.write_bytes(video.read_bytes()[: video.stat().st_size // 2])
    result = must("predict", trained, cut, "--output", tmp_path / "out")
    *lines, last = read_lines(tmp_path / "out")
    assert [line["frame"] for line in lines] == list(range(len(lines)))
    assert lines
    assert "cut off" in last["error"]
    assert "Files that could not be used: 1" in result.stderr


def test_a_video_without_a_frame_is_an_error(trained, video, tmp_path):
    (tmp_path / "none.mp4").write_bytes(b"no video")
    said = refused("predict", trained, tmp_path / "none.mp4", "--output", tmp_path / "out")
    assert "The file could not be scored." in said
    assert "no frame was read" in said
    (line,) = read_lines(tmp_path / "out")
    assert line["error"] in said


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--smooth", "3"], "--smooth is for frames in a row"),
        (["--smooth", "0", "--frames"], "--smooth"),
    ],
)
def test_smoothing_of_what_is_no_video_is_refused(trained, frames, tmp_path, words, sentence):
    assert sentence in refused("predict", trained, frames, "--output", tmp_path / "out", *words)


def test_an_image_is_no_folder_of_frames(trained, frames, tmp_path):
    words = ["--frames", "--output", tmp_path / "out"]
    assert "with --frames, each folder" in refused("predict", trained, frames / "f0.png", *words)


def test_images_and_a_video_go_together(trained, video, frames, tmp_path):
    result = must("predict", trained, frames / "f0.png", video, "--output", tmp_path)
    lines = read_lines(tmp_path)
    assert [line.get("frame") for line in lines] == [None, *range(12)]
    assert "1 image and 12 frames scored" in result.output
