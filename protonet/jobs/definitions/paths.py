"""File names inside a net: made absolute, so that a run can be resumed from any folder."""

from __future__ import annotations

from pathlib import Path

from protonet.layers.base import LayerContext
from protonet.proto.caffe_pb2 import NetParameter
from protonet.proto.paths import named
from protonet.proto.text import NetDefinition


def with_absolute_paths(definition: NetDefinition, folder: Path) -> NetDefinition:
    """The definition with the absolute path of every file that it names.

    Names are looked up in the working directory, as Caffe does, then in ``folder``. One that is
    in neither stays as it is, so that the layer's message shows it as the user wrote it.
    """
    net = NetParameter()
    net.CopyFrom(definition.net)
    context = LayerContext(folder)
    for layer in net.layer:
        for message, field in named(layer):
            found = context.find(getattr(message, field))
            if found.exists():
                setattr(message, field, str(found.resolve()))
    return NetDefinition(net, definition.source, definition.origins)
