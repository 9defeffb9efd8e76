"""Names for layers that have none, which Caffe takes: the first top, else with the type behind it.

Texts and files of weights are named alike, so weights of such a net find their layers again.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

from protonet.proto.caffe_pb2 import LayerParameter, NetParameter
from protonet.proto.source import NetDefinition


def name_layers(definition: NetDefinition) -> NetDefinition:
    """The definition with a name for every layer; those that have one keep it."""
    if all(layer.name for layer in definition.net.layer):
        return definition
    net = NetParameter()
    net.CopyFrom(definition.net)
    taken = {layer.name for layer in net.layer}
    for layer in net.layer:
        if not layer.name:
            layer.name = next(name for name in _candidates(layer) if name not in taken)
            taken.add(layer.name)
    return NetDefinition(net, definition.source, definition.origins)


def _candidates(layer: LayerParameter) -> Iterator[str]:
    kind = layer.type.lower()
    blob = next(iter([*layer.top, *layer.bottom]), "")
    if layer.top and layer.top[0] not in layer.bottom:
        yield blob
    stem = f"{blob}_{kind}" if blob else kind
    yield stem
    for number in count(2):
        yield f"{stem}_{number}"
