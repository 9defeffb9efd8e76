"""Names for unnamed layers, which Caffe accepts: the first top, or with the type appended.

Texts and files of weights are named by the same rule, so that weights find their layers.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

from protonet.proto.caffe_pb2 import LayerParameter
from protonet.proto.source import NetDefinition


def name_layers(definition: NetDefinition) -> NetDefinition:
    """The definition with a name for every unnamed layer."""
    if all(layer.name for layer in definition.net.layer):
        return definition
    named = definition.copy()
    taken = {layer.name for layer in named.net.layer}
    for layer in named.net.layer:
        if not layer.name:
            layer.name = next(name for name in _candidates(layer) if name not in taken)
            taken.add(layer.name)
    return named


def _candidates(layer: LayerParameter) -> Iterator[str]:
    kind = layer.type.lower()
    blob = next(iter([*layer.top, *layer.bottom]), "")
    if layer.top and layer.top[0] not in layer.bottom:
        yield blob
    stem = f"{blob}_{kind}" if blob else kind
    yield stem
    for number in count(2):
        yield f"{stem}_{number}"
