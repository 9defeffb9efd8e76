"""Which of two layers named Normalize a text means, where it has no fields of either."""

from __future__ import annotations

from protonet.proto.caffe_pb2 import LayerParameter
from protonet.proto.source import NetDefinition

_TYPES = {
    *("ChannelScale", "GeneralContrastiveLoss", "GeneralTripletLoss", "GlobalLSEMargin"),
    *("InnerDistance", "LabelSpecificAdd", "LabelSpecificRescale", "SoftTruncation"),
}
"""Layers that happynear's fork has alone."""


def upgrade_directions(definition: NetDefinition) -> NetDefinition:
    """The definition with an empty ``normalize_param`` in each Normalize without fields, where
    something else of the net is of happynear's fork; else such a layer is the one of SSD's.
    """
    layers = definition.net.layer
    bare = [i for i, layer in enumerate(layers) if _is_bare(layer)]
    if not bare or not any(_is_happynears(layer) for layer in layers):
        return definition
    marked = definition.copy()
    for i in bare:
        marked.net.layer[i].normalize_param.SetInParent()
    return marked


def _is_bare(layer: LayerParameter) -> bool:
    return layer.type == "Normalize" and not (
        layer.HasField("norm_param") or layer.HasField("normalize_param")
    )


def _is_happynears(layer: LayerParameter) -> bool:
    return (
        layer.type in _TYPES
        or layer.HasField("normalize_param")
        or layer.inner_product_param.normalize
        or layer.accuracy_param.min_is_better
        or layer.softmax_param.HasField("normalize_type")
    )
