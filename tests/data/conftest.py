"""Small image files of every kind, and a small category in MVTec layout."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def noise():
    """Random pixels: `noise(height, width, seed)`, uint8 (height, width, 3)."""

    def make(height=13, width=9, seed=0):
        return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype="uint8")

    return make


@pytest.fixture
def encode():
    """The bytes of an image file: `encode(pixels or Pillow image, "PNG", **Pillow's options)`."""

    def encode(image, image_format="PNG", **options):
        if isinstance(image, np.ndarray):
            image = Image.fromarray(image)
        if "orientation" in options:
            exif = Image.Exif()
            exif[0x0112] = options.pop("orientation")
            options["exif"] = exif
        file = io.BytesIO()
        image.save(file, image_format, **options)
        return file.getvalue()

    return encode


@pytest.fixture
def png_chunk():
    """One chunk of a PNG file: `png_chunk(b"IDAT", content)`."""

    def chunk(name, content):
        check = struct.pack(">I", zlib.crc32(name + content))
        return struct.pack(">I", len(content)) + name + content + check

    return chunk


@pytest.fixture
def make_bomb(png_chunk):
    """A PNG that announces many pixels: `make_bomb(20000, 20000)`."""

    def bomb(height, width):
        header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
        pixels = zlib.compress(bytes(10**6), 9)
        chunks = [(b"IHDR", header), (b"IDAT", pixels), (b"IEND", b"")]
        return b"\x89PNG\r\n\x1a\n" + b"".join(png_chunk(*chunk) for chunk in chunks)

    return bomb


@pytest.fixture
def category(tmp_path, noise):
    """A category: 6 good images to train on, 2 good ones and 2 scratches (with masks) to test."""
    root = tmp_path / "bolt"
    for number, folder in enumerate(["train/good"] * 6 + ["test/good"] * 2 + ["test/scratch"] * 2):
        (root / folder).mkdir(parents=True, exist_ok=True)
        Image.fromarray(noise(32, 24, seed=number)).save(root / folder / f"{number:03d}.png")
    masks = root / "ground_truth/scratch"
    masks.mkdir(parents=True)
    for number in (8, 9):
        mask = np.zeros((32, 24), "uint8")
        mask[4:6, 3:20] = 255
        Image.fromarray(mask).save(masks / f"{number:03d}_mask.png")
    return root
