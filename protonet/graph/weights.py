"""The weights of a net: loaded by layer name, and stored in a message."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from protonet.blob import Array, Param
from protonet.device import Device
from protonet.errors import OtherNetError
from protonet.formats.blobs import from_array, shapes_fit
from protonet.formats.stored_weights import StoredArray, StoredParams
from protonet.graph.plan import Plan
from protonet.layers.base import Layer, shape_text
from protonet.proto.caffe_pb2 import NetParameter

_Arrays = Sequence[np.ndarray | StoredArray | None]


@dataclass(frozen=True)
class LoadReport:
    """What ``Net.load`` did: layers whose weights were loaded; layers that the file has no weights
    for (neither under their name nor that of a layer they share with); layers of the file that the
    net does not have; and mismatches that were skipped.
    """

    loaded: tuple[str, ...]
    absent: tuple[str, ...]
    unused: tuple[str, ...]
    mismatched: tuple[str, ...] = ()


def load_params(
    layers: Sequence[Layer],
    weights: Mapping[str, Sequence[np.ndarray | None]],
    source: str,
    device: Device,
    *,
    allow_mismatch: bool = False,
) -> LoadReport:
    """Cast weights in by layer name, as Caffe does; None leaves a parameter as it is.

    With ``allow_mismatch``, layers whose parameters differ in count or shape are skipped.

    Raises:
        FormatError: listing every such layer otherwise; then nothing is loaded.
    """
    params = {layer.name: layer.params for layer in layers if layer.params}
    taken, problems = _fitting(layers, params, weights)
    if problems and not allow_mismatch:
        raise OtherNetError(
            f"{source}: the weights are of another net:\n  " + "\n  ".join(problems)
        )
    for name, arrays in taken.items():
        for param, array in zip(params[name], arrays, strict=True):
            if array is not None:
                _put(device, array, param.data)
    filled = {id(param.owner or param) for name in taken for param in params[name]}
    return LoadReport(
        tuple(taken),
        tuple(
            name
            for name in params
            if not weights.get(name) and not {id(p.owner or p) for p in params[name]} <= filled
        ),
        tuple(name for name in weights if name not in params and weights[name]),
        tuple(problems),
    )


def takes_stored(layer: Layer) -> bool:
    """Whether the layer's parameters are stored in one form, its own."""
    return type(layer).convert_weights is Layer.convert_weights


def _put(device: Device, array: np.ndarray | StoredArray, out: Array) -> None:
    """Copy an array into a parameter; where it can, from the file to there."""
    if not isinstance(array, StoredArray):
        device.put(np.asarray(array, out.dtype), out)
    elif device.is_cpu and array.dtype == out.dtype and out.flags.c_contiguous:
        array.read_into(out)
    else:
        device.put(np.asarray(array.read(), out.dtype), out)


def stored_params(
    plan: Plan, layers: Sequence[Layer], device: Device
) -> dict[str, list[np.ndarray | None]]:
    """The parameters of each layer, copied to the host; None for one that another layer owns."""
    return {
        step.name: [
            np.array(device.get(param.data)) if planned.owner is None else None
            for planned, param in zip(step.params, layer.params, strict=True)
        ]
        for step, layer in zip(plan.steps, layers, strict=True)
    }


def _fitting(
    layers: Sequence[Layer],
    params: Mapping[str, Sequence[Param]],
    weights: Mapping[str, Sequence[np.ndarray | None]],
) -> tuple[dict[str, _Arrays], list[str]]:
    """The weights of the layers that fit, in the layers' own form; and the mismatches."""
    taken: dict[str, _Arrays] = {}
    problems: list[str] = []
    for layer in layers:
        given = weights.get(layer.name)
        if given is None or layer.name not in params:
            continue
        arrays: _Arrays = given
        if isinstance(given, StoredParams) and takes_stored(layer):
            arrays = given.arrays
        elif given:
            arrays = layer.convert_weights(given)
        wrong = list(_mismatches(layer.name, params[layer.name], arrays))
        problems += wrong
        if not wrong:
            taken[layer.name] = arrays
    return taken, problems


def _mismatches(name: str, params: Sequence[Param], arrays: _Arrays) -> Iterator[str]:
    """The mismatches between a layer's weights and its parameters."""
    if not arrays:
        yield f"layer '{name}' has {len(params)} parameter(s), and the file lists it without any"
        return
    if len(arrays) != len(params):
        yield f"layer '{name}' has {len(params)} parameter(s), not {len(arrays)}"
        return
    for place, (param, array) in enumerate(zip(params, arrays, strict=True)):
        if array is not None and not shapes_fit(array.shape, param.shape):
            yield (
                f"layer '{name}' parameter {place}: expected {shape_text(param.shape)}, got "
                f"{shape_text(array.shape)}"
            )


def message_of(plan: Plan, layers: Sequence[Layer], device: Device) -> NetParameter:
    """The net with its parameters as Caffe's message, for a .caffemodel."""
    net = NetParameter()
    net.CopyFrom(plan.definition.net)
    for layer, spec in zip(layers, net.layer, strict=True):
        del spec.blobs[:]
        if not spec.HasField("phase"):
            spec.phase = plan.phase
        if layer.is_loss and not spec.loss_weight:
            spec.loss_weight.append(1)  # Caffe writes the default weight of a loss, too
        for param in layer.params:
            spec.blobs.append(from_array(device.get(param.data)))
    return net
