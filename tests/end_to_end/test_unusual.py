"""Defects among good photos are shown at the end of the training, and can be left out."""

import shutil

import pytest
from command_line import must, refused

from kerasad.runs.run import Run
from kerasad.synthetic.demo import write_demo

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """100 photos of bricks: 60 of two bands of the wall, 37 of the third, and 3 defects in it."""
    demos = [write_demo("brick", tmp_path_factory.mktemp("demo"), seed) for seed in (0, 1)]
    folder = tmp_path_factory.mktemp("photos")
    good = [(demo, part, n) for demo in demos for part, n in (("train", 30), ("test", 20))]
    number = 0
    for demo, part, count in good:
        for image in range(count):
            if number < 97:
                shutil.copy(f"{demo}/{part}/good/{image:03d}.png", folder / f"{number:03d}.png")
                number += 1
    for place, kind in ((20, "hole"), (55, "stain"), (80, "thread")):
        shutil.copy(f"{demos[0]}/test/{kind}/000.png", folder / f"{place:03d}_x.png")
    return folder


def test_three_defects_among_100_photos_are_shown_and_can_be_left_out(photos, tmp_path):
    words = ["--image-size", 128, "--output", tmp_path / "run"]
    output = must("train", photos, *words).output
    block = output[output.index("The 5 most unusual good photos") :]
    assert block.count("_x.png") == 3
    assert "the true share lies in about" in block
    overlays = sorted(path.name for path in (tmp_path / "run/unusual").glob("*.png"))
    assert len(overlays) == 5
    assert {f"{path.stem}_overlay.png" for path in photos.glob("*_x.png")} <= set(overlays)

    left_out = [word for path in photos.glob("*_x.png") for word in ("--exclude", path.name)]
    output = must("train", photos, *words, "--overwrite", *left_out).output
    assert output.count(": excluded.") == 3
    run = Run(tmp_path / "run")
    assert len(run.config.data.exclude) == 3
    assert len(run.provenance.images("train")) == 97
    former = {f"{path.stem}_overlay.png" for path in photos.glob("*_x.png")}
    assert not former & {path.name for path in (run.path / "unusual").iterdir()}
    # They are no test images either: the run has seen all others.
    assert "has no image that the run has not seen" in refused("evaluate", run.path)
