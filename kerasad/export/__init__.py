"""A detector as a SavedModel for TensorFlow Serving: built, verified, then published."""

from kerasad.export.parity import ParityError
from kerasad.export.samples import read_sendable
from kerasad.export.saved_model import export_saved_model

__all__ = ["ParityError", "export_saved_model", "read_sendable"]
