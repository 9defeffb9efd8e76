"""What Intel's fork writes of a BatchNorm, as the Scale layer that follows means it."""

from __future__ import annotations

from protonet.errors import NetworkError
from protonet.proto.caffe_pb2 import LayerParameter
from protonet.proto.source import NetDefinition

_FIELD = "filler"


def upgrade_scale_fillers(definition: NetDefinition) -> NetDefinition:
    """The definition with each ``batch_norm_param.filler`` in the Scale layer that follows.

    The fork's MKL engines compute the two layers as one, whose scale begins with that filler. A
    ``scale_param.filler`` of the text stays, as with the fork's engine CAFFE.

    Raises:
        NetworkError: where the first layer that reads the top is no Scale of one bottom.
    """
    layers = definition.net.layer
    filled = [i for i, layer in enumerate(layers) if layer.batch_norm_param.HasField(_FIELD)]
    if not filled:
        return definition
    moved, mistakes = definition.copy(), []
    for i in filled:
        norm = moved.net.layer[i]
        scale = _reader(moved.net.layer[i + 1 :], list(norm.top))
        if scale is None:
            mistakes.append(
                definition.source.mistake(
                    (*definition.origins[i], "batch_norm_param", _FIELD),
                    f'layer "{norm.name}" ({norm.type}): filler is that of the Scale layer of one '
                    "bottom that follows; none does",
                )
            )
            continue
        if not scale.scale_param.HasField(_FIELD):
            scale.scale_param.filler.CopyFrom(norm.batch_norm_param.filler)
        norm.batch_norm_param.ClearField(_FIELD)
    if mistakes:
        raise NetworkError(mistakes)
    return moved


def _reader(layers: list[LayerParameter], tops: list[str]) -> LayerParameter | None:
    """The first of the layers that reads a top, where it is a Scale of one bottom."""
    for layer in layers:
        if set(tops) & set(layer.bottom):
            return layer if layer.type == "Scale" and len(layer.bottom) == 1 else None
    return None
