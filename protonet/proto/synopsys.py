"""What Synopsys' fork writes of a layer, as other layers mean it: padding side by side, relu6,
UpsampleDarknet.
"""

from __future__ import annotations

from protonet.errors import Mistake, NetworkError
from protonet.proto.caffe_pb2 import ConvolutionParameter, LayerParameter
from protonet.proto.source import NetDefinition, Where

_SIDES = ("pad_t", "pad_b", "pad_l", "pad_r")
_DARKNET = "UpsampleDarknet"
_PADDED = ("Convolution", "ConvolutionDepthwise", "DepthwiseConvolution")


def upgrade_sides(definition: NetDefinition) -> NetDefinition:
    """The definition with ``pad_h`` and ``pad_w`` in place of ``pad_t``, ``pad_b``, ``pad_l`` and
    ``pad_r`` of convolutions; with a Pad layer in front, where opposite sides differ; with
    ReLU6 in place of a ReLU of ``relu6``; and with Upsample in place of UpsampleDarknet.

    Raises:
        NetworkError: where both forms of padding are given, for sides that differ in front of a
            layer that is no convolution of planes, for relu6 with a negative_slope, and for a
            stride below 1.
    """
    if not any(map(_is_synopsys, definition.net.layer)):
        return definition
    taken = {name for layer in definition.net.layer for name in (layer.name, *layer.top)}
    layers: list[LayerParameter] = []
    origins: list[Where] = []
    mistakes: list[Mistake] = []
    for old, origin in zip(definition.net.layer, definition.origins, strict=True):
        layer = LayerParameter()
        layer.CopyFrom(old)
        found = _capped_wrongly(layer) or _padded_wrongly(layer) or _grown_wrongly(layer)
        if found:
            where, text = found
            mistakes.append(
                definition.source.mistake(
                    (*origin, *where), f'layer "{layer.name}" ({layer.type}): {text}'
                )
            )
            continue
        if _capped(layer):
            layer.type = "ReLU6"
        if layer.type == _DARKNET:
            layer.type = "Upsample"
            layer.upsample_param.scale = layer.upsample_darknet_param.stride
            layer.ClearField("upsample_darknet_param")
        for added in _split(layer, taken):
            layers.append(added)
            origins.append(origin)
    if mistakes:
        raise NetworkError(mistakes)
    return definition.with_layers(layers, origins)


def _is_synopsys(layer: LayerParameter) -> bool:
    return bool(_given(layer.convolution_param)) or _capped(layer) or layer.type == _DARKNET


def _grown_wrongly(layer: LayerParameter) -> tuple[Where, str] | None:
    stride = layer.upsample_darknet_param.stride
    if layer.type == _DARKNET and stride < 1:
        return ("upsample_darknet_param", "stride"), f"expected a stride of 1 or more, got {stride}"
    return None


def _capped(layer: LayerParameter) -> bool:
    return layer.type == "ReLU" and layer.relu_param.relu6


def _capped_wrongly(layer: LayerParameter) -> tuple[Where, str] | None:
    if _capped(layer) and layer.relu_param.negative_slope:
        return ("relu_param", "relu6"), "relu6 and a negative_slope cannot go together"
    return None


def _given(param: ConvolutionParameter) -> list[str]:
    return [side for side in _SIDES if param.HasField(side)]


def _uneven(param: ConvolutionParameter) -> bool:
    return param.pad_t != param.pad_b or param.pad_l != param.pad_r


def _padded_wrongly(layer: LayerParameter) -> tuple[Where, str] | None:
    param = layer.convolution_param
    given = _given(param)
    if not any(getattr(param, side) for side in given):
        return None
    where = ("convolution_param", given[0])
    if param.pad or param.HasField("pad_h") or param.HasField("pad_w"):
        return where, f"pad and {given[0]} are both given; give one of the two forms"
    if _uneven(param) and (
        layer.type not in _PADDED or len(layer.bottom) != 1 or not layer.top or param.axis != 1
    ):
        return where, (
            "expected pad_l as pad_r, and pad_t as pad_b; others are for a Convolution of one "
            "bottom, N x C x H x W"
        )
    return None


def _split(layer: LayerParameter, taken: set[str]) -> list[LayerParameter]:
    """The layer, behind one that pads where it needs one; its fields are changed.

    What is added has a name that is not ``taken``.
    """
    param = layer.convolution_param
    sides = [int(getattr(param, side)) for side in _SIDES]
    given, uneven = _given(param), _uneven(param)
    for side in given:
        param.ClearField(side)
    if not any(sides):
        return [layer]
    if not uneven:
        param.pad_h, param.pad_w = sides[0], sides[2]
        return [layer]
    name = f"{layer.name or layer.top[0]}_pad"
    while name in taken:
        name += "_"
    taken.add(name)
    pad = LayerParameter(name=name, type="Pad", bottom=layer.bottom)
    pad.top.append(pad.name)
    pad.pad_param.paddings.extend([0, 0, 0, 0, *sides])
    pad.include.extend(layer.include)
    pad.exclude.extend(layer.exclude)
    layer.bottom[0] = pad.name
    return [pad, layer]
