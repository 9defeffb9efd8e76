"""The names of a convolution's dilation in DeepLab's first fork: hole, hole_h, hole_w."""

from __future__ import annotations

from protonet.errors import Mistake, NetworkError
from protonet.proto.caffe_pb2 import ConvolutionParameter
from protonet.proto.source import NetDefinition

_HOLES = ("hole", "hole_h", "hole_w")


def upgrade_dilation(definition: NetDefinition) -> NetDefinition:
    """The definition with ``dilation`` in place of ``hole``, or of ``hole_h`` and ``hole_w``.

    Raises:
        NetworkError: if more than one of them is set.
    """
    if not any(_hole_fields(layer.convolution_param) for layer in definition.net.layer):
        return definition
    upgraded = definition.copy()
    mistakes: list[Mistake] = []
    for layer, origin in zip(upgraded.net.layer, definition.origins, strict=True):
        param = layer.convolution_param
        names = _hole_fields(param)
        if not names:
            continue
        if param.dilation or names not in (["hole"], ["hole_h", "hole_w"]):
            mistakes.append(
                definition.source.mistake(
                    (*origin, "convolution_param", names[0]),
                    f'layer "{layer.name}" ({layer.type}): expected dilation, hole, or hole_h and '
                    f"hole_w, got {' and '.join([*['dilation'][: len(param.dilation)], *names])}",
                )
            )
            continue
        param.dilation.extend(getattr(param, name) for name in names)
        for name in names:
            param.ClearField(name)
    if mistakes:
        raise NetworkError(mistakes)
    return upgraded


def _hole_fields(param: ConvolutionParameter) -> list[str]:
    return [name for name in _HOLES if param.HasField(name)]
