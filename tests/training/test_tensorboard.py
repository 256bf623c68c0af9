import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from kerasad.data.geometry import unpack_inputs
from kerasad.errors import InputError, MissingPackageError
from kerasad.models.base import AnomalyModel
from kerasad.training import tensorboard
from kerasad.training.tensorboard import KINDS, THUMBNAIL, TensorBoardWriter, name_log_folder

SIDE, COUNT, DIMENSIONS = 16, 5, 3


class Grey(AnomalyModel):
    """Restores all images in grey; its code of a place is the colour there."""

    image_shape = (SIDE, SIDE, 3)

    def call(self, inputs):
        return unpack_inputs(inputs)[0]

    def reconstruct(self, inputs):
        return keras.ops.full_like(unpack_inputs(inputs)[0], 0.5)

    def tensors(self, inputs):
        images, _ = unpack_inputs(inputs)
        cells = keras.ops.average_pool(images, 4)
        return {"z_mean": cells, "attention_map": cells[..., :1]}


class Silent(AnomalyModel):
    """Has nothing to draw."""

    image_shape = (SIDE, SIDE, 3)

    def tensors(self, inputs):
        return {"features": unpack_inputs(inputs)[0]}


def write(folder, model, epochs=None):
    images = np.random.default_rng(0).uniform(0.4, 0.6, (COUNT, SIDE, SIDE, 3)).astype("float32")
    dataset = tf.data.Dataset.from_tensor_slices(images).batch(4)
    writer = TensorBoardWriter(folder, dataset, epochs=epochs)
    writer.set_model(model)
    for epoch in range(2):
        writer.on_epoch_end(epoch, {"loss": 2.0 - epoch, "val_loss": 3.0 - epoch})
    writer.on_train_end()
    return folder


def read(folder):
    """Returns the values of all event files of a folder: `{tag: {step: tensor}}`."""
    found = {}
    for path in folder.glob("events.*"):
        for event in tf.compat.v1.train.summary_iterator(str(path)):
            for value in event.summary.value:
                tensor = tf.make_ndarray(value.tensor)
                found.setdefault(value.tag, {})[event.step] = tensor
    return found


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    return write(tmp_path_factory.mktemp("logs"), Grey(), epochs=[2])


def test_curves_of_training_and_validation_share_a_chart(written):
    train, validation = read(written / "train"), read(written / "validation")
    assert train == {"loss": {1: 2.0, 2: 1.0}}
    assert validation["loss"] == {1: 3.0, 2: 2.0}


def test_pictures_are_those_of_the_epochs_that_were_asked_for(written):
    pictures = read(written / "validation")
    names = ("images", "reconstruction", "anomaly_map", "attention")
    assert pictures.keys() == {"loss", *(f"{kind}/{name}" for kind in KINDS for name in names)}
    assert all(list(pictures[tag]) == [2] for tag in pictures if tag != "loss")


def test_a_picture_has_the_first_images_side_by_side(written):
    width, height, png = read(written / "validation")["good/reconstruction"][2]
    assert (int(width), int(height)) == (4 * SIDE, SIDE)
    assert np.unique(tf.io.decode_png(png)).tolist() == [128]


def test_a_defect_is_brighter_in_its_map_than_good_images_are(written):
    pictures = read(written / "validation")
    good, damaged = (tf.io.decode_png(pictures[f"{kind}/anomaly_map"][2][2]) for kind in KINDS)
    assert np.max(damaged) > np.max(good)


def test_the_attention_of_good_images_takes_the_whole_range_of_colours(written):
    picture = tf.io.decode_png(read(written / "validation")["good/attention"][2][2]).numpy()
    brightness = picture.sum(axis=-1)
    assert brightness.min() < 30
    assert brightness.max() > 600


def test_the_files_of_the_projector_agree(written):
    folder = written / "validation"
    codes = np.loadtxt(folder / "codes.tsv", delimiter="\t")
    assert codes.shape == (2 * COUNT, DIMENSIONS)
    kinds = [line.split("\t") for line in (folder / "metadata.tsv").read_text().splitlines()]
    assert kinds[0] == ["kind", "image"]
    assert kinds[1:] == [[kind, str(number)] for kind in KINDS for number in range(COUNT)]
    with Image.open(folder / "sprite.png") as sprite:
        rows, columns = sprite.height // THUMBNAIL, sprite.width // THUMBNAIL
    assert rows == columns == 4  # the smallest square for 10
    config = (folder / "projector_config.pbtxt").read_text()
    assert all(f'"{name}"' in config for name in ("codes.tsv", "metadata.tsv", "sprite.png"))


def test_a_code_is_that_of_the_place_where_a_defect_changes_it(written):
    codes = np.loadtxt(written / "validation" / "codes.tsv", delimiter="\t")
    assert np.all(np.any(codes[:COUNT] != codes[COUNT:], axis=1))


def test_a_model_without_pictures_and_codes_has_its_curves_and_images(tmp_path):
    folder = write(tmp_path, Silent())
    assert read(folder / "validation").keys() == {"loss", "good/images", "damaged/images"}
    assert not (folder / "validation" / "codes.tsv").exists()


def test_a_model_that_trains_nothing_is_refused(tmp_path):
    with pytest.raises(InputError, match="feature_statistics trains no network"):
        name_log_folder(tmp_path, "mine", "feature_statistics")


def test_a_training_has_a_folder_of_its_own(tmp_path):
    folder = name_log_folder(tmp_path, "mine", "vae_gan")
    assert folder.parent == tmp_path
    assert folder.name.startswith("mine-")


def test_a_missing_tensorboard_is_named_before_the_training(tmp_path, monkeypatch):
    monkeypatch.setattr(tensorboard.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingPackageError, match=r'needs tensorboard.*"\.\[tensorboard\]"'):
        name_log_folder(tmp_path, "mine", "vae_gan")
