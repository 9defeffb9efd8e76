"""File names inside a net: made absolute, so that a run can be resumed from any folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from protonet.layers.base import Surroundings
from protonet.proto.caffe_pb2 import LayerParameter, NetParameter
from protonet.proto.text import NetDefinition

_FIELDS = (
    ("data_param", "source"),
    ("hdf5_data_param", "source"),
    ("image_data_param", "source"),
    ("infogain_loss_param", "source"),
    ("transform_param", "mean_file"),
    ("window_data_param", "source"),
)
"""Every field of a layer that names a file to read."""


def with_absolute_paths(definition: NetDefinition, folder: Path) -> NetDefinition:
    """The definition with the absolute path of every file that it names.

    Names are looked up in the working directory, as Caffe does, then in ``folder``. One that is
    in neither stays as it is, so that the layer's message shows it as the user wrote it.
    """
    net = NetParameter()
    net.CopyFrom(definition.net)
    around = Surroundings(folder)
    for layer in net.layer:
        for message, field in _named(layer):
            found = around.find(getattr(message, field))
            if found.exists():
                setattr(message, field, str(found.resolve()))
    return NetDefinition(net, definition.source, definition.origins)


def _named(layer: LayerParameter) -> Iterator[tuple[object, str]]:
    """The parameters of a layer that name a file, each with the field that does."""
    for param, field in _FIELDS:
        if layer.HasField(param):
            message = getattr(layer, param)
            if getattr(message, field):
                yield message, field
