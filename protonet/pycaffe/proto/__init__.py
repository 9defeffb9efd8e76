"""``caffe.proto``: Caffe's messages."""

from protonet.proto import caffe_pb2

__all__ = ["caffe_pb2"]
