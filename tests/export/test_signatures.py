"""What the exported graph answers, asked in a session as TensorFlow Serving asks it."""

import struct
import zlib

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from kerasad.data.decoding import Decoding, decode_bytes, most_bytes_of_any, read_header
from kerasad.data.geometry import pack_inputs, unpack_inputs
from kerasad.export.execution import LoadedModel
from kerasad.export.signatures import OUTPUTS
from kerasad.overlay import ColourScale, draw_enlarged
from kerasad.runs.prediction import read_prediction

NAMES = ["plain", *(pytest.param(name, marks=pytest.mark.slow) for name in ("tiled", "padded"))]


def send(model, *files):
    return model.run("serving_bytes", {"image_bytes": np.array(files, object)})


def as_predicted(detector, *files):
    """The detector's answers to files, read as in training, and its inputs."""
    resize = detector.geometry.resize
    pairs = [decode_bytes(data, read_header(data), finish=resize) for data in files]
    images = np.stack([image for image, _ in pairs])
    valid = np.stack([valid for _, valid in pairs]) if detector.keep_aspect else None
    inputs = pack_inputs(images, valid)
    return detector.predict(inputs, verbose=0), inputs


def assert_alike(found, expected, valid=None):
    for name in OUTPUTS:
        one, two = found[name].astype("float64"), expected[name].astype("float64")
        if valid is not None and one.ndim > 1:
            one, two = one[valid], two[valid]
        np.testing.assert_allclose(one, two, atol=1e-5, err_msg=name)


def write_chunk(kind, data):
    check = struct.pack(">I", zlib.crc32(kind + data))
    return struct.pack(">I", len(data)) + kind + data + check


def make_bomb(side=20_000):
    """The start of a PNG that would unfold to 400 megapixels; its pixels are missing."""
    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    start = b"\x89PNG\r\n\x1a\n" + write_chunk(b"IHDR", header)
    return start + write_chunk(b"IDAT", zlib.compress(bytes(100)))


@pytest.mark.parametrize("name", NAMES)
def test_pixels_are_answered_as_the_detector_predicts_them(served, images, name):
    model = served(name)
    inputs = images(3, *model.detector.image_size, seed=4)
    inputs[1, 8:14, 9:20] = 0.95
    expected = model.detector.predict(inputs, verbose=0)
    found = model.session.run("serving_default", {"images": inputs})
    assert set(found) == set(OUTPUTS)
    assert_alike(found, expected)
    assert_alike(LoadedModel(model.folder).run("serving_default", {"images": inputs}), expected)


@pytest.mark.parametrize("name", NAMES)
def test_files_of_any_size_are_answered_as_the_detector_predicts_them(served, images, encode, name):
    model = served(name)
    exif = Image.Exif()
    exif[0x0112] = 6
    files = [
        encode(images(1, 56, 44, seed=5)[0]),
        encode(images(1, 30, 71, seed=6)[0], "JPEG", exif=exif),
        encode(images(1, *model.detector.image_size, seed=7)[0, ..., 0]),
    ]
    found = send(model.session, *files)
    expected, inputs = as_predicted(model.detector, *files)
    valid = unpack_inputs(inputs)[1]
    assert_alike(found, expected, None if valid is None else valid > 0.5)


@pytest.mark.parametrize("name", NAMES)
def test_every_output_has_a_leading_batch_dimension(served, images, encode, name):
    model = served(name)
    file = encode(images(1, 40, 30)[0])
    for count in (1, 3):
        outputs = send(model.session, *[file] * count)
        assert {value.shape[0] for value in outputs.values()} == {count}
        extra = {"image_size"} if name == "padded" else set()
        assert set(outputs) == {*OUTPUTS, "overlay_bytes", *extra}
    assert outputs["is_anomalous"].dtype == bool
    assert outputs["anomaly_map"].shape == (3, *model.detector.image_size, 1)


@pytest.mark.slow
def test_padding_counts_nowhere(served, images, encode):
    model = served("padded")
    threshold = model.detector.pixel_threshold
    wide = images(1, 20, 64)[0]
    outputs = send(model.session, encode(wide))
    assert outputs["image_size"].tolist() == [[10, 32]]
    assert np.all(outputs["anomaly_map"][0, 10:] <= threshold)
    assert np.all(outputs["attention_map"][0, 10:] == 0)
    overlay = tf.io.decode_png(outputs["overlay_bytes"][0]).numpy()
    assert overlay.shape == (10 * 8, 32 * 8, 3)  # enlarged by at most 8


def test_a_bomb_is_refused_from_its_header(served):
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"limit of 10000.*20000"):
        send(served("plain").session, make_bomb())


def test_a_file_of_more_bytes_than_any_image_needs_is_refused(served, images, encode):
    good = encode(images(1, 32, 32)[0])
    most = most_bytes_of_any(Decoding(pixel_limit=10_000))  # of the models that `served` makes
    with pytest.raises(tf.errors.InvalidArgumentError, match=rf"the {most} bytes.*batch:\] \[1\]"):
        send(served("plain").session, good, good + bytes(most))


def test_a_bad_file_is_refused_and_its_position_named(served, images, encode):
    session, good = served("plain").session, encode(images(1, 32, 32)[0])
    for bad in (make_bomb(), b"no picture", b"", b"\x89PNG\r\n\x1a\n"):
        with pytest.raises(tf.errors.InvalidArgumentError, match=r"batch:\] \[2\]"):
            send(session, good, good, bad)
    # What only the decoder finds is refused in its words, which know no position.
    for bad in (good[:500], b"\xff\xd8\xff\xe0"):
        with pytest.raises(tf.errors.InvalidArgumentError, match=f"data, size {len(bad)}"):
            send(session, good, bad)
    assert send(session, good)["anomaly_score"].shape == (1,)


@pytest.mark.parametrize("value", [np.nan, np.inf, 200.0, -0.5])
def test_pixels_that_are_no_pixels_are_refused(served, images, value):
    inputs = images(2, 32, 32)
    inputs[1, 3, 4, 0] = value
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"finite and in \[0, 1\]"):
        served("plain").session.run("serving_default", {"images": inputs})


@pytest.fixture(scope="module")
def unchecked_score(served):
    """Function of pixels of any shape that returns the score by the graph of the model itself."""
    with tf.Graph().as_default():
        session = tf.compat.v1.Session()
        free = tf.compat.v1.placeholder(tf.float32)  # feeding it compares no shapes
        meta_graph = tf.compat.v1.saved_model.load(
            session,
            ["serve"],
            str(served("plain").folder),
            input_map={"serving_default_images:0": free},
        )
        score = meta_graph.signature_def["serving_default"].outputs["anomaly_score"].name
    yield lambda pixels: session.run(score, {free: pixels})
    session.close()


@pytest.mark.parametrize("shape", [(1, 16, 32, 3), (1, 32, 32, 1), (32, 32, 3)])
def test_the_graph_itself_refuses_images_of_another_shape(unchecked_score, shape):
    with pytest.raises(tf.errors.InvalidArgumentError, match="expected shape"):
        unchecked_score(np.zeros(shape, "float32"))


def test_only_variables_that_answering_reads_are_saved(served):
    model = served("plain")
    saved = dict(tf.train.list_variables(str(model.folder / "variables" / "variables")))
    saved = [shape for name, shape in saved.items() if name.startswith("state/")]
    known = [list(variable.shape) for variable in model.detector.variables]
    assert 0 < len(saved) < len(known)  # what draws noise in training, for one, is left out
    for shape in saved:
        known.remove(shape)


@pytest.mark.parametrize("name", NAMES)
def test_the_overlay_is_the_picture_that_predict_draws_for_the_same_map(
    served, images, encode, name
):
    model = served(name)
    scale = ColourScale(model.detector.pixel_threshold)
    pixels = images(1, 30, 71, seed=6)[0]
    pixels[8:20, 10:40] = 0.95
    file = encode(pixels)
    outputs = send(model.session, file)
    _, inputs = as_predicted(model.detector, file)
    image, prediction = read_prediction(outputs, inputs, 0)
    anomaly_map = prediction["anomaly_map"][..., None]
    decided = (prediction["decision"] == name for name in ("defective", "review"))
    drawn = draw_enlarged(image, anomaly_map, scale, *decided)
    np.testing.assert_array_equal(tf.io.decode_png(outputs["overlay_bytes"][0]), drawn)
    assert np.any(anomaly_map > scale.threshold)
