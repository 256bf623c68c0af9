import numpy as np
import pytest
import tensorflow as tf

from kerasad.tracing import compiled, compiled_for_batches, map_dataset


def test_a_compiled_function_is_a_graph_with_the_same_answer():
    graphs = []

    def double(x):
        graphs.append(tf.inside_function())
        return 2 * x

    function = compiled(double, reduce_retracing=True)
    assert [float(function(tf.constant(x))) for x in (1.0, 3.0)] == [2.0, 6.0]
    assert graphs == [True]


def test_one_graph_serves_every_number_of_images():
    traced = []

    def double(inputs, valid=None):
        traced.append(inputs["images"].shape)
        return 2 * inputs["images"]

    function = compiled_for_batches(double)
    for count in (4, 1, 3):
        images = np.ones((count, 2, 5), "float32")
        for given in (images, tf.constant(images)):
            np.testing.assert_array_equal(function({"images": given}, None), 2 * images)
    assert [shape.as_list() for shape in traced] == [[None, 2, 5]]


def test_a_tensor_in_an_if_is_an_error_instead_of_a_rewritten_function():
    with pytest.raises(tf.errors.OperatorNotAllowedInGraphError):
        compiled(lambda x: 1.0 if x > 0 else 2.0)(tf.constant(1.0))


def test_nor_is_a_function_of_a_dataset_rewritten():
    with pytest.raises(tf.errors.OperatorNotAllowedInGraphError):
        map_dataset(tf.data.Dataset.range(3), lambda x: x if x > 0 else -x)


@pytest.mark.parametrize("parallel", [True, False])
def test_elements_are_mapped_in_order_and_tuples_are_several_arguments(parallel):
    numbers = np.arange(40)
    dataset = tf.data.Dataset.from_tensor_slices((numbers, 2 * numbers))
    mapped = map_dataset(dataset, lambda one, two: one + two, parallel)
    np.testing.assert_array_equal(list(mapped.as_numpy_iterator()), 3 * numbers)
