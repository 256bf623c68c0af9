"""What is special about student and teacher."""

import numpy as np
import pytest
import tensorflow as tf

from kerasad.baselines.student_teacher import build_student, imitation_loss


@pytest.fixture(scope="module")
def model(make):
    return make("student_teacher")


def test_the_loss_is_zero_for_the_teachers_own_features(model, images):
    taught = model.teach(tf.constant(images))
    assert float(imitation_loss(taught, taught)) == pytest.approx(0.0, abs=1e-5)
    # Only the direction counts.
    longer = {name: 3.0 * features for name, features in taught.items()}
    assert float(imitation_loss(taught, longer)) == pytest.approx(0.0, abs=1e-5)
    other = {name: -features for name, features in taught.items()}
    assert float(imitation_loss(taught, other)) == pytest.approx(2.0 * len(taught), rel=1e-4)


def test_the_loss_is_half_the_squared_distance_on_a_case_by_hand():
    taught = {"tap_1": np.array([[[[3.0, 4.0], [1.0, 0.0]]]], "float32")}
    made = {"tap_1": np.array([[[[0.0, 2.0], [1.0, 1.0]]]], "float32")}
    # (.6, .8) and (0, 1): .36 + .04 = .4; (1, 0) and (s, s), s = .7071: .0858 + .5.
    expected = (0.4 / 2 + ((1 - 0.5**0.5) ** 2 + 0.5) / 2) / 2
    assert float(imitation_loss(taught, made)) == pytest.approx(expected, rel=1e-5)
    valid = np.array([0.5, 1.0], "float32").reshape(1, 1, 2, 1)  # the first cell is outside
    second = ((1 - 0.5**0.5) ** 2 + 0.5) / 2
    assert float(imitation_loss(taught, made, valid)) == pytest.approx(second, rel=1e-5)
    twice = {"tap_1": taught["tap_1"], "tap_2": taught["tap_1"]}
    also = {"tap_1": made["tap_1"], "tap_2": made["tap_1"]}
    assert float(imitation_loss(twice, also)) == pytest.approx(2 * expected, rel=1e-5)


def test_only_the_student_moves(make, images):
    model = make("student_teacher")
    model.adapt(images)
    model.compile(run_eagerly=True)
    teacher = [np.asarray(weight) for weight in model.view.weights]
    student = [np.asarray(weight) for weight in model.student.trainable_variables]
    model.train_on_batch(images)
    for before, after in zip(teacher, model.view.weights, strict=True):
        np.testing.assert_array_equal(before, after)
    after = model.student.trainable_variables
    moved = [np.abs(np.asarray(new) - old).max() for old, new in zip(student, after, strict=True)]
    assert max(moved) > 1e-4
    assert {id(each) for each in model.trained_weights} == {id(w) for w in model.student.weights}


def test_the_map_is_the_product_of_all_scales(model, images):
    taught, made = model.teach(images), model(images)
    expected = 1.0
    for name, features in taught.items():
        t, u = np.asarray(features), np.asarray(made[name])
        lengths = np.linalg.norm(t, axis=-1) * np.linalg.norm(u, axis=-1)
        cosine = (t * u).sum(-1) / np.maximum(lengths, 1e-9)
        distance = tf.image.resize((1 - cosine)[..., None], model.cell_grid)
        expected = expected * np.asarray(distance)
    np.testing.assert_allclose(model.tensors(images)["anomaly_map"], expected, atol=1e-4)


def test_a_student_has_the_outputs_of_any_teacher():
    for shapes in ([(8, 12, 3), (4, 6, 5), (2, 3, 2)], [(9, 13, 4), (9, 13, 2)], [(1, 1, 2)]):
        student = build_student((32, 48, 3), shapes, 2)
        assert [tuple(t.shape[1:]) for t in student.output.values()] == shapes
