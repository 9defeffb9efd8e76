"""The cost of a layer: arithmetic (FLOPs) and memory traffic, from its shapes alone."""

from __future__ import annotations

from protonet.graph.names import Value
from protonet.graph.plan import Step
from protonet.graph.types import FLOATS, Types

_FLOAT = 4
_CONVOLUTIONS = frozenset(
    {
        *("Convolution", "Convolution3D", "ConvolutionDepthwise", "DepthwiseConvolution"),
        "NdConvolution",
    }
)


def arithmetic(step: Step) -> int:
    """Additions and multiplications of a forward pass.

    For layers with weights, two for each use of each weight; for others, one for each input or
    output element, whichever are more: the order of magnitude.
    """
    weights = [param.weight for param in step.params if len(param.weight.shape) > 1]
    if not weights or step.type == "Embed":
        return max(_values(step))
    if step.type in ("Deconvolution", "Deconvolution3D"):
        axis = step.layer.spec.convolution_param.axis
        places = sum(value.count // _extent(value, axis) for value in step.bottoms)
    elif step.type in ("LSTM", "RNN"):
        places = _extent(step.bottoms[0], 0) * _extent(step.bottoms[0], 1)
    else:
        axis = step.layer.spec.convolution_param.axis if step.type in _CONVOLUTIONS else -1
        places = sum(value.count // _extent(value, axis) for value in step.tops)
    return 2 * places * sum(weight.count for weight in weights)


def backward_arithmetic(step: Step) -> int:
    """Additions and multiplications of a backward pass: with weights, those of the forward pass
    for each kind of gradient (of bottoms, of parameters).
    """
    if not step.runs_backward:
        return 0
    if not any(len(param.weight.shape) > 1 for param in step.params):
        return arithmetic(step)
    return arithmetic(step) * (any(step.wanted) + any(param.lr_mult != 0 for param in step.params))


def backward_traffic(step: Step, types: Types = FLOATS) -> int:
    """Bytes read and written in a backward pass: gradients of tops, bottoms, parameters and their
    gradients, each once; parameters in float32.
    """
    if not step.runs_backward:
        return 0
    written = [v for v, wanted in zip(step.bottoms, step.wanted, strict=True) if wanted]
    params = sum(param.weight.count * (1 + (param.lr_mult != 0)) for param in step.params)
    return sum(map(types.bytes_of, (*step.bottoms, *step.tops, *written))) + _FLOAT * params


def traffic(step: Step, types: Types = FLOATS) -> int:
    """Bytes of bottoms, tops and parameters, each read or written once; parameters in float32."""
    params = sum(param.weight.count for param in step.params)
    return sum(map(types.bytes_of, (*step.bottoms, *step.added, *step.tops))) + _FLOAT * params


def _values(step: Step) -> tuple[int, int]:
    """The numbers of input and output elements."""
    return sum(value.count for value in step.bottoms), sum(value.count for value in step.tops)


def _extent(value: Value, axis: int) -> int:
    """The extent of an axis; 1 for a scalar."""
    return max(1, value.shape[axis]) if value.shape else 1
