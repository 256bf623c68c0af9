"""Frames of video files, and files that are none or end too early."""

import fractions

import numpy as np
import pytest

from kerasad.data.decoding import Decoding
from kerasad.data.video import VideoFile, is_video
from kerasad.errors import InputError

av = pytest.importorskip("av", reason="PyAV reads videos (extra video)")

SIZE = (48, 64)


def write_video(path, frames, codec="mjpeg", rate=20, audio=False):
    """Writes frames, uint8 arrays `(height, width, 3)`, as a video."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate)
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = {"mjpeg": "yuvj444p", "ffv1": "bgr0"}.get(codec, "yuv420p")
        for pixels in frames:
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def draw(count, size=SIZE):
    """Frames of one grey each, brighter from one to the next."""
    return [np.full((*size, 3), 40 + 8 * number, "uint8") for number in range(count)]


def read(path, **options):
    """Returns the frames that can be read, and why there are no more, or None."""
    frames = []
    try:
        frames.extend(VideoFile(path, **options).frames())
    except InputError as error:
        return frames, str(error)
    return frames, None


@pytest.mark.parametrize(
    ("name", "codec"),
    [("a.mp4", "h264"), ("a.avi", "mjpeg"), ("a.mov", "mjpeg"), ("a.mkv", "ffv1")],
)
def test_frames_come_in_order_with_number_time_and_pixels(tmp_path, name, codec):
    frames, problem = read(write_video(tmp_path / name, draw(12), codec))
    assert problem is None
    assert [frame.number for frame in frames] == list(range(12))
    np.testing.assert_allclose([frame.time for frame in frames], np.arange(12) / 20, atol=1e-3)
    for frame, pixels in zip(frames, draw(12), strict=True):
        assert frame.pixels.shape == (*SIZE, 3)
        assert abs(frame.pixels.astype(int) - pixels).max() <= 4


def test_a_lossless_video_gives_the_pixels_back(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (3, *SIZE, 3), dtype="uint8")
    frames, _ = read(write_video(tmp_path / "a.mkv", list(noise), "ffv1"))
    np.testing.assert_array_equal(np.stack([frame.pixels for frame in frames]), noise)


def noisy(count):
    return list(np.random.default_rng(0).integers(0, 256, (count, *SIZE, 3), dtype="uint8"))


@pytest.mark.parametrize(("name", "codec"), [("a.mkv", "ffv1"), ("a.avi", "mjpeg")])
def test_a_video_that_is_cut_off_gives_the_frames_before_the_break(tmp_path, name, codec):
    path = write_video(tmp_path / name, noisy(20), codec)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    frames, problem = read(path)
    assert 5 < len(frames) < 15
    assert problem.startswith(f"{path}: the video is")
    assert "cut off" in problem
    assert problem.endswith(f"the {len(frames)} frames before that were read.")


def test_an_mp4_without_its_end_cannot_be_read_at_all(tmp_path):
    path = write_video(tmp_path / "a.mp4", noisy(20), "h264")
    path.write_bytes(path.read_bytes()[:-2000])
    frames, problem = read(path)
    assert not frames
    assert "broken or cut off" in problem
    assert "no frame was read" in problem


def test_frames_over_the_limit_are_refused_before_one_is_decoded(tmp_path):
    path = write_video(tmp_path / "a.avi", draw(2))
    frames, problem = read(path, decoding=Decoding(pixel_limit=48 * 64 - 1))
    assert not frames
    assert "its frames have 64 x 48 pixels, more than the `pixel_limit` of 3,071" in problem
    assert read(path, decoding=Decoding(pixel_limit=48 * 64))[1] is None


def test_a_stream_that_grows_past_the_limit_is_refused_by_the_decoder(tmp_path, monkeypatch):
    path = write_video(tmp_path / "a.avi", draw(2))
    # As if the header had said less than the stream holds.
    monkeypatch.setattr(VideoFile, "_choose_stream", understated(VideoFile._choose_stream))
    frames, problem = read(path, decoding=Decoding(pixel_limit=1000))
    assert not frames
    assert "the video is broken or cut off" in problem


def understated(choose):
    def call(self, container):
        limit, self._limit = self._limit, 10**9
        stream = choose(self, container)
        stream.codec_context.options = {"max_pixels": str(limit)}
        return stream

    return call


@pytest.mark.parametrize(
    ("content", "sentence"),
    [(b"", "broken or cut off"), (b"no video" * 100, "broken or cut off"), (None, "no such file")],
)
def test_what_is_no_video_is_refused_in_a_sentence(tmp_path, content, sentence):
    path = tmp_path / "a.mp4"
    if content is not None:
        path.write_bytes(content)
    frames, problem = read(path)
    assert not frames
    assert problem.startswith(f"{path}: ")
    assert sentence in problem


def test_a_list_of_other_files_is_not_followed(tmp_path):
    write_video(tmp_path / "b.mp4", draw(2), "h264")
    path = tmp_path / "a.mp4"
    path.write_text(f"ffconcat version 1.0\nfile {tmp_path}/b.mp4\n")
    assert not read(path)[0]


def test_a_file_with_sound_alone_has_no_video(tmp_path):
    path = tmp_path / "a.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 800), "int16"), layout="mono")
        frame.sample_rate, frame.time_base, frame.pts = 8000, fractions.Fraction(1, 8000), 0
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    assert "there is no video in the file" in read(path)[1]


def test_videos_are_known_by_their_suffix():
    assert is_video("a/B.MP4")
    assert not is_video("a/mp4")
    assert not is_video("a.png")


def test_a_video_is_turned_as_its_file_says(tmp_path):
    pixels = np.zeros((*SIZE, 3), "uint8")
    pixels[:, 32:] = 200  # the right half is bright
    path = write_video(tmp_path / "a.mp4", [pixels] * 2, "h264")
    one, none = (1 << 16).to_bytes(4, "big"), bytes(4)
    plain = one + none * 3 + one
    clockwise = none + one + none + (-(1 << 16)).to_bytes(4, "big", signed=True) + none
    content = path.read_bytes()
    place = content.index(plain, content.index(b"tkhd"))
    path.write_bytes(content[:place] + clockwise + content[place + len(plain) :])
    frames, _ = read(path)
    assert frames[0].pixels.shape == (64, 48, 3)
    assert frames[0].pixels[:28].max() < 50  # what was left is on top
    assert frames[0].pixels[36:].min() > 150
