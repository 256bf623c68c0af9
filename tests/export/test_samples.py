import numpy as np
import pytest
from PIL import Image

from kerasad.data.decoding import Decoding, decode_bytes, decode_file, read_header
from kerasad.data.geometry import Geometry
from kerasad.errors import InputError
from kerasad.export.samples import batch_size_for, collect_samples

DECODING = Decoding(max_value=4095, pixel_limit=10**6)


@pytest.fixture
def files(images, tmp_path):
    """Function of a count that returns paths of PNG files of 40 x 30 pixels."""

    def make(count, suffix="png"):
        paths = []
        for number, image in enumerate(images(count, 40, 30)):
            paths.append(tmp_path / f"{number:03d}.{suffix}")
            Image.fromarray(np.round(image * 255).astype("uint8")).save(paths[-1])
        return paths

    return make


def test_files_are_sent_as_they_are_and_seen_as_in_training(files):
    paths = files(3)
    samples, counts = collect_samples(paths, Geometry(32, 32), DECODING)
    assert counts == {"files": 3, "synthetic_defects": 3, "encodings": 3}
    assert len(samples) == 9
    for sample, path in zip(samples, paths, strict=False):
        assert sample.data == path.read_bytes()
        expected, _ = decode_file(path, DECODING, Geometry(32, 32).resize)
        np.testing.assert_array_equal(sample.image, expected)


def test_every_sample_is_what_training_makes_of_its_bytes(files):
    geometry = Geometry(24, 48, keep_aspect=True)
    samples, _ = collect_samples(files(2), geometry, DECODING)
    for sample in samples:
        header = read_header(sample.data)
        image, valid = decode_bytes(sample.data, header, decoding=DECODING, finish=geometry.resize)
        np.testing.assert_array_equal(sample.image, image)
        np.testing.assert_array_equal(sample.valid, valid)


def test_defects_are_drawn_on_the_picture_and_not_on_its_padding(files):
    samples, _ = collect_samples(files(4), Geometry(24, 48, keep_aspect=True), DECODING)
    for good, defective in zip(samples[:4], samples[4:8], strict=True):
        assert read_header(defective.data).height == 24
        assert read_header(defective.data).width == 18
        assert np.abs(defective.image - good.image)[:, :18].max() > 0.01


def test_at_most_32_files_are_taken_evenly_spaced(files):
    paths = files(70)
    samples, counts = collect_samples(paths, Geometry(32, 32), DECODING)
    assert counts["files"] == 32
    assert samples[0].data == paths[0].read_bytes()
    assert samples[31].data == paths[69].read_bytes()


def test_what_only_pillow_reads_is_sent_as_png(files):
    (path,) = files(1, "tiff")
    samples, _ = collect_samples([path], Geometry(40, 30), DECODING)
    assert samples[0].data.startswith(b"\x89PNG")
    np.testing.assert_array_equal(samples[0].image, decode_file(path))


def test_odd_encodings_are_turned_deep_and_transparent(files):
    samples, _ = collect_samples(files(1), Geometry(32, 24), DECODING)
    turned, deep, transparent = (read_header(sample.data) for sample in samples[-3:])
    assert (turned.format, turned.orientation) == ("jpeg", 6)
    assert deep.bits == 16
    assert transparent.channels == 4


def test_a_file_that_cannot_be_used_is_named(tmp_path):
    (tmp_path / "broken.png").write_bytes(b"x")
    with pytest.raises(InputError, match=r"broken\.png"):
        collect_samples([tmp_path / "broken.png"], Geometry(32, 32), DECODING)


def test_large_images_run_in_smaller_batches():
    assert batch_size_for(Geometry(64, 64)) == 8
    assert batch_size_for(Geometry(512, 512)) == 2
    assert batch_size_for(Geometry(2048, 2048)) == 1
