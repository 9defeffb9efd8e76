"""The names that DeepLab's first fork has for the dilation of a convolution."""

from __future__ import annotations

from protonet.errors import Mistake, NetworkError
from protonet.proto.caffe_pb2 import ConvolutionParameter, NetParameter
from protonet.proto.source import NetDefinition

_HOLES = ("hole", "hole_h", "hole_w")


def upgrade_dilation(definition: NetDefinition) -> NetDefinition:
    """The definition with ``dilation`` in place of ``hole``, or of ``hole_h`` and ``hole_w``.

    Raises:
        NetworkError: where two of them are given.
    """
    if not any(_given(layer.convolution_param) for layer in definition.net.layer):
        return definition
    net = NetParameter()
    net.CopyFrom(definition.net)
    mistakes: list[Mistake] = []
    for layer, origin in zip(net.layer, definition.origins, strict=True):
        param = layer.convolution_param
        given = _given(param)
        if not given:
            continue
        if param.dilation or given not in (["hole"], ["hole_h", "hole_w"]):
            mistakes.append(
                definition.source.mistake(
                    (*origin, "convolution_param", given[0]),
                    f'layer "{layer.name}" ({layer.type}): expected dilation, hole, or hole_h and '
                    f"hole_w, got {' and '.join([*['dilation'][: len(param.dilation)], *given])}",
                )
            )
            continue
        param.dilation.extend(getattr(param, name) for name in given)
        for name in given:
            param.ClearField(name)
    if mistakes:
        raise NetworkError(mistakes)
    return NetDefinition(net, definition.source, definition.origins)


def _given(param: ConvolutionParameter) -> list[str]:
    return [name for name in _HOLES if param.HasField(name)]
