"""File names in a net's message."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePath

from google.protobuf.message import Message

from protonet.proto.caffe_pb2 import LayerParameter, NetParameter

READ = (
    ("annotated_data_param", "label_map_file"),
    ("data_param", "source"),
    ("detection_evaluate_param", "name_size_file"),
    ("hdf5_data_param", "source"),
    ("image_data_param", "source"),
    ("infogain_loss_param", "source"),
    ("transform_param", "mean_file"),
    ("window_data_param", "source"),
)
"""The fields of a layer that name a file to read."""

_OTHERS = (
    ("hdf5_output_param", "file_name"),
    ("image_data_param", "root_folder"),
    ("window_data_param", "root_folder"),
)


def named(
    layer: LayerParameter, fields: tuple[tuple[str, str], ...] = READ
) -> Iterator[tuple[Message, str]]:
    """The messages of a layer that name a file, each with the name of the field."""
    for param, field in fields:
        if layer.HasField(param):
            message = getattr(layer, param)
            if getattr(message, field):
                yield message, field


def without_folders(net: NetParameter) -> NetParameter:
    """Replace absolute paths in the net by their last component, so that a file of weights does not
    reveal where its data was. Changes and returns ``net``.
    """
    for layer in net.layer:
        for message, field in named(layer, READ + _OTHERS):
            path = PurePath(getattr(message, field))
            if path.is_absolute():
                setattr(message, field, path.name)
    return net
