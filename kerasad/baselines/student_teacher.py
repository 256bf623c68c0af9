"""A student that imitates a frozen backbone on good images."""

import math

import keras
import tensorflow as tf
from keras import layers

from kerasad.data.geometry import unpack_inputs
from kerasad.errors import check_whole, checked_image_shape
from kerasad.layers.content_grid import align_cells, aligned_region, enlarge_maps
from kerasad.losses import cosine_distance
from kerasad.losses.means import weighted_mean
from kerasad.models.arguments import SMALLEST_SIDE
from kerasad.models.backbone_model import BackboneModel
from kerasad.models.feature_view import to_grid
from kerasad.models.health import reconstruction_contrast
from kerasad.models.networks import BATCH_NORM_MOMENTUM, seed_weights
from kerasad.models.trained_model import TrainedModel, loss_gradients, read_images
from kerasad.precision import dtype_policy_scope


@keras.saving.register_keras_serializable(package="kerasad")
class StudentTeacher(BackboneModel, TrainedModel):
    """Student network that learns the features of a pretrained teacher on good images alone.

    Loss: the sum over scales `s` of the mean over cells of `|t_s - u_s|^2 / 2`, with the teacher's
    features `t_s` and the student's `u_s` of a cell, each divided by its length. That is `1 - cos`
    of their angle. Map: the product over scales of the same, on the grid of the finest one; the
    score of an image is its maximum. Of what no good image has, the student has learnt nothing.

    The teacher's features are standardized by mean and deviation of good images, see
    `FeatureView`; `fit` measures them first, unless `adapt` has.

    Args:
        image_shape: `(height, width, 3)`, sides of at least 8 pixels.
        backbone: str. The teacher, see `build_backbone`.
        taps: names of its features, or None for its own choice; a scale each.
        backbone_weights: as `weights` of `build_backbone`. A saved model holds its weights.
        backbone_architecture: as `architecture` of `build_backbone`. A saved model holds it.
        filters: int. The student's channels after the first halving.
        seed: int >= 0 or None. Seed of the student's weights.

    Call arguments:
        inputs: images, float tensor `(batch, height, width, 3)` in [0, 1]; or a dict of `images`
            and `valid`, see `AnomalyModel.tensors`.
        training: bool.

    Returns:
        imitation: dict of the student's features by scale, `tap_1`, ..., float32, like those of
        `FeatureView.tensors`.

    Raises:
        InputError: For an argument outside its range.

    Reference: Wang et al., "Student-teacher feature pyramid matching for anomaly detection", BMVC
    2021, equations 1 to 4: ResNet-18 for both, SGD with a rate of .4, momentum of .9 and weight
    decay of 1e-4, batches of 32 over 100 epochs. Departures: any backbone as teacher, with
    standardized features; the student is a residual network of its own, since a teacher for
    inference has no normalization left to train with; Adam.
    """

    loss_names = ("imitation_loss",)

    def __init__(
        self,
        image_shape,
        backbone="efficientnet_lite0",
        taps=None,
        backbone_weights="imagenet",
        backbone_architecture=None,
        filters=32,
        seed=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.image_shape = checked_image_shape(image_shape, SMALLEST_SIDE)
        check_whole("filters", filters, 1)
        if seed is not None:
            check_whole("seed", seed, 0)
        self.filters = filters
        self.seed = seed
        self.choose_backbone(backbone, taps, backbone_weights, backbone_architecture)
        with dtype_policy_scope(self.dtype_policy):
            self.build_view()
            shapes = [tensor.shape[1:] for tensor in self.view.backbone.output.values()]
            self.student = build_student(self.image_shape, shapes, filters)
        self.cell_grid = max((tuple(shape[:2]) for shape in shapes), key=math.prod)
        if seed is not None:
            seed_weights(self.student, 1000 * seed)
        self.create_trackers((*self.loss_names, "loss"), ("reconstruction_contrast",))
        self(keras.Input(self.image_shape))

    @property
    def generator_variables(self):
        """The trainable variables of the student."""
        return self.student.trainable_variables

    @property
    def trained_weights(self):
        """The student's weights."""
        return self.student.weights

    def fit(self, x=None, *args, **kwargs):
        """Trains as `TrainedModel.fit` does; first calls `adapt` unless that has been done."""
        if not self.view.is_adapted:
            self.adapt(x)
        return super().fit(x, *args, **kwargs)

    def call(self, inputs, training=False):
        """Returns the student's features; see the class."""
        images, valid = unpack_inputs(inputs)
        made = self.student(images, training=training)
        return {name: align_cells(features, valid) for name, features in made.items()}

    def teach(self, images, valid=None) -> dict:
        """Returns the teacher's features by scale, those that `call` imitates."""
        tensors = self.view.tensors(images, valid)
        return {name: tensors[name] for name in self.student.output}

    def losses(self, images, valid, training: bool) -> dict:
        """Returns all that is logged of a batch by name, of the cells that count."""
        taught = self.teach(images, valid)
        made = self({"images": images, "valid": valid}, training=training)
        loss = imitation_loss(taught, made, valid)
        finest = next(iter(taught))
        contrast = reconstruction_contrast(taught[finest], made[finest])
        return {"imitation_loss": loss, "loss": loss, "reconstruction_contrast": contrast}

    def train_step(self, data):
        """Trains the student on one batch; returns the running means of the losses."""
        images, valid = read_images(data)
        with tf.GradientTape() as tape:
            logs = self.losses(images, valid, training=True)
            scaled = self.optimizer.scale_loss(logs["loss"])
        variables = self.generator_variables
        self.optimizer.apply(loss_gradients(tape, scaled, variables), variables)
        return self.track(logs)

    def test_step(self, data):
        """Returns the running means of the losses."""
        return self.track(self.losses(*read_images(data), training=False))

    def tensors(self, inputs) -> dict:
        """Returns `FeatureView.tensors` and `anomaly_map`, on the grid of the finest scale."""
        images, valid = unpack_inputs(inputs)
        tensors = self.view.tensors(images, valid)
        anomaly_map = 1.0
        for name, made in self(inputs).items():
            distance = cosine_distance(tensors[name], made)
            anomaly_map = anomaly_map * to_grid(distance, self.cell_grid)
        return {**tensors, "anomaly_map": anomaly_map}

    def residual_map(self, inputs):
        """Returns the product of the distances of all scales, enlarged."""
        images, valid = unpack_inputs(inputs)
        return enlarge_maps(self.tensors(inputs)["anomaly_map"], images.shape[1:3], valid)


def imitation_loss(taught: dict, made: dict, valid=None):
    """Returns the sum over scales of the mean over cells of `1 - cos`, float32 `()`.

    Args:
        taught: the teacher's features by scale, `(batch, h, w, channels)`.
        made: the student's, of the same names and shapes.
        valid: as in `AnomalyModel.tensors`, or None. Cells outside its region do not count.
    """
    total = 0.0
    for name in taught:
        distance = cosine_distance(taught[name], made[name])
        cells = None if valid is None else aligned_region(valid, distance.shape[1:3])
        total = total + weighted_mean(distance, cells)
    return total


def build_student(image_shape, tap_shapes, filters: int) -> keras.Model:
    """Builds a residual network with the outputs of a teacher.

    Args:
        image_shape: `(height, width, 3)`.
        tap_shapes: `(h, w, channels)` of each of the teacher's taps.
        filters: int. Channels after the first halving; doubled at each further one, up to 4x.

    Returns:
        student: model from images `(batch, *image_shape)` in [0, 1] to a dict of float32 features
        `tap_1`, ... of these shapes: a linear function of the activations at the coarsest of its
        resolutions that is no coarser than the tap, brought to the tap's grid.
    """
    inputs = keras.Input(image_shape, name="images")
    x = layers.Rescaling(2.0, -1.0, name="centre")(inputs)
    coarsest = min(shape[0] for shape in tap_shapes)
    levels, level = [], 0
    while not levels or levels[-1].shape[1] // 2 >= coarsest:
        level += 1
        width = filters * min(2 ** (level - 1), 4)
        x = _normalized(x, width, 2, f"halving_{level}")
        x = layers.ReLU(name=f"halving_{level}_activation")(x)
        if level > 1:
            y = _normalized(x, width, 1, f"residual_{level}_1")
            y = layers.ReLU(name=f"residual_{level}_activation")(y)
            y = _normalized(y, width, 1, f"residual_{level}_2")
            x = layers.Add(name=f"residual_{level}_add")([x, y])
            x = layers.ReLU(name=f"features_{level}")(x)
        levels.append(x)
    outputs = {}
    for number, (height, columns, channels) in enumerate(tap_shapes, start=1):
        fine = [each for each in levels if each.shape[1] >= height and each.shape[2] >= columns]
        y = layers.Conv2D(channels, 1, dtype="float32", name=f"head_{number}")((fine or levels)[-1])
        outputs[f"tap_{number}"] = to_grid(y, (height, columns))
    return keras.Model(inputs, outputs, name="student")


def _normalized(x, channels, strides, name):
    x = layers.Conv2D(channels, 3, strides, "same", use_bias=False, name=name)(x)
    return layers.BatchNormalization(momentum=BATCH_NORM_MOMENTUM, name=f"{name}_norm")(x)
