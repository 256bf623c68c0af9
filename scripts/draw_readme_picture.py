"""Draws the picture of the README: photos of the demo, and what a detector says of them.

    kerasad train demo/brick --output runs/bricks --image-size 128 --false-alarm-rate 0.1
    python scripts/draw_readme_picture.py runs/bricks docs/images/bricks.png

The photographs are those of bricks in scikit-image's wheel; the defects were drawn by this package.
Nothing is picked by eye: of good test photos and of each kind of defect, the one with the median
score is shown.
"""

import sys
from pathlib import Path

import numpy as np
import tensorflow as tf
from PIL import Image, ImageDraw, ImageFont

import kerasad
from kerasad.files import replace_file
from kerasad.overlay import ColourScale, draw_overlay, to_uint8
from kerasad.runs.run import open_run
from kerasad.synthetic.demo import resolve_demo

KINDS = ("good", "scratch", "stain", "hole")
ENLARGED = 2
GAP, STRIP, LEFT = 8, 26, 84
"""Pixels between pictures, of the text below them, and of the names of rows."""
GREEN, RED, GREY = (27, 120, 55), (178, 24, 43), (90, 90, 90)


def main():
    """Draws the picture of a run, `argv[1]`, into a file, `argv[2]`."""
    run, path = open_run(sys.argv[1]), Path(sys.argv[2])
    detector = run.load_detector()
    data = kerasad.data.load_category(resolve_demo("demo/brick"), detector.image_size, 16)
    images, kinds = read_test(data)
    answers = detector.predict(images, verbose=0)
    columns = [median_of(kind, images, kinds, answers) for kind in KINDS]
    scale = ColourScale(detector.pixel_threshold)
    side = detector.image_size[0] * ENLARGED
    size = (LEFT + len(KINDS) * (side + GAP), 2 * (side + GAP) + STRIP)
    canvas = Image.new("RGB", size, (255, 255, 255))
    draw, font = ImageDraw.Draw(canvas), ImageFont.load_default(15)
    for row, name in enumerate(("photo", "kerasad")):
        draw.text((GAP, row * (side + GAP) + side // 2), name, GREY, font)
    for index, (image, answer) in enumerate(columns):
        left = LEFT + index * (side + GAP)
        plain = Image.fromarray(to_uint8(image).numpy()).resize((side, side), Image.BILINEAR)
        canvas.paste(plain, (left, 0))
        defective = bool(answer["is_anomalous"])
        drawn = draw_overlay(image, answer["anomaly_map"], scale, ENLARGED, defective)
        canvas.paste(Image.fromarray(np.asarray(drawn)), (left, side + GAP))
        sign = ">" if defective else "<="
        words = "defective" if defective else "good"
        text = f"{words}: score {answer['anomaly_score']:.2f} {sign} {detector.threshold:.2f}"
        draw.text((left, 2 * (side + GAP)), text, RED if defective else GREEN, font)
    path.parent.mkdir(parents=True, exist_ok=True)
    with replace_file(path) as temporary:
        canvas.convert("P", palette=Image.ADAPTIVE, colors=256).save(
            temporary, "PNG", optimize=True
        )
    print(f"{path}: {path.stat().st_size / 1024:.0f} kB")


def read_test(data):
    """Returns all test images, and the kind of each: a type of defect, or good."""
    images = np.concatenate([images.numpy() for images, _ in data.test])
    return images, np.array([record.defect or "good" for record in data.index.test])


def median_of(kind, images, kinds, answers):
    """Returns the image of a kind with the median score, and its answer."""
    own = np.flatnonzero(kinds == kind)
    index = own[np.argsort(answers["anomaly_score"][own])[len(own) // 2]]
    return tf.constant(images[index]), {name: values[index] for name, values in answers.items()}


if __name__ == "__main__":
    main()
