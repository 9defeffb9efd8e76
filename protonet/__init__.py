"""protonet: Caffe network definitions, read, trained and asked about images."""

__version__ = "0.1.0"
