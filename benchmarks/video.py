"""Measures `predict` on a video: peak memory, frames a second, and what smoothing does to alarms.

    python benchmarks/video.py DATA [--frames 200 2000] [--hold 20] [--smooth 1 5 15]

Videos are made of photos as a camera above a belt would see them: each is held for `--hold` frames,
with a shift of up to 2 pixels, brightness of 3 % and noise of 3 grey levels of its own in each
frame, and written as MPEG-4 in MP4. `feature_statistics` is trained on one such frame of each good
training photo of DATA. The test photos, good and defective ones in turn, make the videos that are
scored by `kerasad predict` in a process of its own. For each `--smooth`, the scores of the longest
video say how many frames of good photos are called defective, how many of those that are settled
(without the first N // 2 of a photo, which are judged by the photo before it), how many good photos
have at least one frame that is called, and the same of defective photos. The last line is what a
run that is trained on the photos themselves says of the frames of the first video.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image
from results import machine, markdown_table


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data")
    parser.add_argument("--frames", type=int, nargs="+", default=[200, 2000])
    parser.add_argument("--hold", type=int, default=20)
    parser.add_argument("--smooth", type=int, nargs="+", default=[1, 5, 15])
    parser.add_argument("--predict", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.predict:
        print(json.dumps(predict(*arguments.predict)))
        return

    photos = find_photos(arguments.data)
    print(f"{len(photos)} photos, {arguments.hold} frames of each, {machine()}")
    rows, longest = [], max(arguments.frames)
    with tempfile.TemporaryDirectory() as folder:
        run = train_on_frames(arguments.data, Path(folder))
        for count in sorted(arguments.frames):
            path = Path(folder) / f"{count}.mp4"
            labels = write_video(path, photos, count, arguments.hold)
            found = run_apart(run, path, Path(folder) / f"out-{count}")
            rows.append((count, found["megabytes"], count / found["seconds"], found["overlays"]))
        print(markdown_table(("frames", "peak memory, MB", "frames a second", "overlays"), rows))
        scores, threshold = read_scores(Path(folder) / f"out-{longest}")
        of_photos = train(arguments.data, Path(folder) / "of-photos")
        shortest = min(arguments.frames)
        run_apart(of_photos, Path(folder) / f"{shortest}.mp4", Path(folder) / "others")
        others, other_threshold = read_scores(Path(folder) / "others")
    alarms = [
        (smooth, *count_alarms(scores, threshold, labels, arguments.hold, smooth))
        for smooth in arguments.smooth
    ]
    header = ("smooth", "good frames called", "good, settled", "good photos called")
    header += ("defective frames called", "defective, settled", "defective photos called")
    print(markdown_table(header, alarms))
    share = np.mean(np.array(others)[labels[:shortest] == 0] > other_threshold)
    print(f"Trained on photos instead of frames: {share:.1%} of good frames called defective")


def find_photos(data):
    """Returns pixels and label of the test photos, good and defective ones in turn."""
    from kerasad.data import read_category

    test = read_category(data, for_test=True).test
    kinds = [[record for record in test if record.label == label] for label in (0, 1)]
    longest = max(map(len, kinds))
    mixed = [kind[number % len(kind)] for number in range(longest) for kind in kinds]
    return [(np.asarray(Image.open(r.path).convert("RGB")), r.label) for r in mixed]


def write_video(path, photos, count, hold, seed=0, rate=25):
    """Writes a video; returns the label of each frame."""
    import av

    rng, labels = np.random.default_rng(seed), []
    height, width = (side // 2 * 2 for side in photos[0][0].shape[:2])
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=rate)
        stream.height, stream.width, stream.pix_fmt = height, width, "yuv420p"
        stream.bit_rate = 20_000_000
        for number in range(count):
            pixels, label = photos[number // hold % len(photos)]
            shifted = np.roll(pixels, rng.integers(-2, 3, 2), axis=(0, 1))[:height, :width]
            noisy = shifted * rng.uniform(0.97, 1.03) + rng.normal(0, 3, shifted.shape)
            frame = av.VideoFrame.from_ndarray(np.clip(noisy, 0, 255).astype("uint8"))
            container.mux(stream.encode(frame))
            labels.append(label)
        container.mux(stream.encode())
    return np.array(labels)


def train_on_frames(data, folder):
    """Returns the path of a run that is trained on one frame of each good photo."""
    from kerasad.data import read_category
    from kerasad.data.video import VideoFile

    photos = [(np.asarray(Image.open(r.path).convert("RGB")), 0) for r in read_category(data).good]
    video, frames = folder / "good.mp4", folder / "good"
    write_video(video, photos, len(photos), 1, seed=1)
    frames.mkdir()
    for frame in VideoFile(video).frames():
        Image.fromarray(frame.pixels).save(frames / f"{frame.number:04d}.png")
    return train(frames, folder / "run")


def train(data, output):
    from kerasad.runs.train import train_run
    from kerasad.training.config import DataConfig, RunConfig

    train_run(RunConfig(DataConfig(str(data))), output, echo=lambda _: None, verbose=0)
    return output


def run_apart(run, video, output):
    """Returns what `predict` measures in a fresh process."""
    command = [sys.executable, __file__, "-", "--predict", str(run), str(video), str(output)]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(result.stdout.splitlines()[-1])


def predict(run, video, output):
    """Scores a video; returns seconds without the start, and the peak of this process."""
    from kerasad.memory import peak_memory_mb
    from kerasad.runs.predict import predict_files
    from kerasad.runs.run import open_run

    opened = open_run(run)
    opened.load_detector()  # what TensorFlow needs once is not part of the seconds
    start = time.perf_counter()
    count = predict_files(opened, [video], output, verbose=0)
    return {
        "seconds": time.perf_counter() - start,
        "megabytes": peak_memory_mb(),
        "overlays": count.overlays,
    }


def read_scores(output):
    """Returns the scores of all frames in order, and their threshold."""
    with (output / "predictions.jsonl").open(encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    return [row["anomaly_score"] for row in rows], rows[0]["threshold"]


def count_alarms(scores, threshold, labels, hold, smooth):
    """Returns shares of good and of defective frames, settled frames and photos that are called."""
    from kerasad.runs.smoothing import RunningMedian

    median = RunningMedian(smooth)
    called = np.array([median.add(score) > threshold for score in scores])
    numbers = np.arange(len(labels))
    settled, photos = numbers % hold >= smooth // 2, numbers // hold
    shares = []
    for label in (0, 1):
        own = labels == label
        any_called = [called[photos == photo].any() for photo in np.unique(photos[own])]
        shares += [called[own].mean(), called[own & settled].mean(), np.mean(any_called)]
    return list(map(float, shares))


if __name__ == "__main__":
    main()
