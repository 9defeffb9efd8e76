"""The API of Caffe's Python module, so that existing scripts run."""

from protonet.layers.python_api import Layer
from protonet.proto.caffe_pb2 import TEST, TRAIN

__all__ = ["TEST", "TRAIN", "Layer"]
