"""File names in a net: made absolute, so that a run can be resumed from any folder, and listed."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from protonet.layers.base import LayerContext
from protonet.proto.caffe_pb2 import NetParameter
from protonet.proto.paths import named
from protonet.proto.text import NetDefinition


def with_absolute_paths(definition: NetDefinition, folder: Path) -> NetDefinition:
    """The definition with absolute paths of files.

    Names are looked up in the working directory, as Caffe does, then in ``folder``. A name that is
    found in neither is unchanged, so that the layer's message shows it as the user wrote it.
    """
    settled = definition.copy()
    context = LayerContext(folder)
    for layer in settled.net.layer:
        for message, field in named(layer):
            found = context.find(getattr(message, field))
            if found.exists():
                setattr(message, field, str(found.resolve()))
    return settled


def databases_of(nets: Iterable[NetParameter]) -> list[str]:
    """The sources of the nets' data layers, each once."""
    sources = [layer.data_param.source for net in nets for layer in net.layer]
    return list(dict.fromkeys(source for source in sources if source))
