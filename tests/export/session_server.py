"""The official PredictionService over a SavedModel in a TensorFlow session, on loopback."""

import contextlib
from concurrent import futures

import grpc
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

from kerasad.export.execution import SessionModel

_OPTIONS = [
    ("grpc.max_send_message_length", -1),
    ("grpc.max_receive_message_length", -1),
]


class SessionServicer(prediction_service_pb2_grpc.PredictionServiceServicer):
    """Answers `Predict` as the model server does: no Keras, no Python model."""

    def __init__(self, folder):
        self.model = SessionModel(folder)

    def Predict(self, request, context):  # noqa: N802
        signature = request.model_spec.signature_name or "serving_default"
        if signature not in self.model.signatures:
            context.abort(grpc.StatusCode.FAILED_PRECONDITION, f"no signature {signature}")
        inputs = {name: tf.make_ndarray(tensor) for name, tensor in request.inputs.items()}
        try:
            outputs = self.model.run(signature, inputs)
        except tf.errors.InvalidArgumentError as error:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, error.message)
        response = predict_pb2.PredictResponse(model_spec=request.model_spec)
        for name, value in outputs.items():
            response.outputs[name].CopyFrom(tf.make_tensor_proto(value))
        return response


@contextlib.contextmanager
def serve(folder):
    """Yields an official stub that is connected to a server of this version."""
    server = grpc.server(futures.ThreadPoolExecutor(2), options=_OPTIONS)
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(
        SessionServicer(folder), server
    )
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        with grpc.insecure_channel(f"127.0.0.1:{port}", options=_OPTIONS) as channel:
            yield prediction_service_pb2_grpc.PredictionServiceStub(channel)
    finally:
        server.stop(None).wait()


def make_request(files, name="model"):
    """The request of a client that sends image files."""
    request = predict_pb2.PredictRequest()
    request.model_spec.name = name
    request.model_spec.signature_name = "serving_bytes"
    request.inputs["image_bytes"].CopyFrom(tf.make_tensor_proto(list(files)))
    return request
