import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from kerasad.data.decoding import decode_bytes_in_graph, decode_file
from kerasad.export import read_sendable
from kerasad.export.sendable import count_unsendable, describe_unsendable
from kerasad.files import write_json

PIXELS = np.random.default_rng(0).integers(0, 256, (8, 12, 3), "uint8")


def write_all(folder):
    """Writes one photo of each kind; returns their paths by kind."""
    colour = Image.fromarray(PIXELS)
    pictures = {
        "a.png": colour,
        "b.jpg": colour,
        "c.bmp": colour,
        "mono.bmp": colour.convert("1"),
        "palette.bmp": colour.quantize(16),
        "d.tif": colour,
        "e.TIFF": Image.fromarray(PIXELS[..., 0].astype("uint16") * 257),
    }
    for name, picture in pictures.items():
        picture.save(folder / name)
    return [folder / name for name in pictures]


def test_only_what_the_served_graph_refuses_is_counted(tmp_path):
    paths = write_all(tmp_path)
    counts = count_unsendable(paths)
    assert counts == {"BMP with a palette or compressed": 2, "TIFF": 2}
    for path in paths:
        data = tf.constant(path.read_bytes())
        if count_unsendable([path]):
            with pytest.raises(tf.errors.InvalidArgumentError):
                decode_bytes_in_graph(data)
        else:
            decode_bytes_in_graph(data)


def test_of_a_file_that_is_gone_the_suffix_tells(tmp_path):
    gone = [tmp_path / name for name in ("a.tif", "b.TIFF", "c.png", "d.bmp")]
    assert count_unsendable(gone) == {"TIFF": 2}


def test_the_sentence_counts_kinds_and_names_the_way_out(tmp_path):
    def describe(data):
        write_json(tmp_path / "model_card.json", {"data": data})
        return describe_unsendable(tmp_path)

    assert describe(None) is describe({"num_images": {"train": 4}}) is None
    counts = {"TIFF": 3, "BMP with a palette or compressed": 1}
    sentence = describe({"num_images": {"train": 4, "test": 1}, "cannot_be_sent": counts})
    assert sentence.startswith("Of the 5 photos of this run, 3 TIFF and 1 BMP with a palette")
    assert "convert such photos to PNG" in sentence
    assert "read_sendable" in sentence


def test_the_way_out_gives_the_pixels_of_the_file(tmp_path):
    for path in write_all(tmp_path):
        sent = decode_bytes_in_graph(tf.constant(read_sendable(path)))
        np.testing.assert_array_equal(sent, decode_file(path), str(path))
