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
from protonet.layers.packed_weights import PackingLayer, keep_packed, lacks_values, packs_alone
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
    release: bool = False,
) -> LoadReport:
    """Cast weights in by layer name, as Caffe does; None leaves a parameter as it is.

    With ``allow_mismatch``, layers whose parameters differ in count or shape are skipped. With
    ``release``, parameters that are read packed alone are kept so.

    Raises:
        FormatError: listing every such layer otherwise; then nothing is loaded.
    """
    params = {layer.name: layer.params for layer in layers if layer.params}
    taken, problems = _fitting(layers, params, weights)
    if problems and not allow_mismatch:
        raise OtherNetError(
            f"{source}: the weights are of another net:\n  " + "\n  ".join(problems)
        )
    borrowed = {id(param.owner) for layer in layers for param in layer.params if param.owner}
    puts = _Puts(device)
    for layer in layers:
        if layer.name in taken and layer.params is params[layer.name]:
            _forget_packed(layer.params, taken[layer.name])
            puts.put(layer, taken[layer.name], alone=release and packs_alone(layer, borrowed))
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


def complete_params(
    layers: Sequence[Layer], weights: Mapping[str, Sequence[np.ndarray | None]], device: Device
) -> None:
    """Load those weights that a net needs whose parameters are of another net, which has released
    them; the forms that others have packed are kept.
    """
    lacking = [layer for layer in layers if lacks_values(layer)]
    params = {layer.name: layer.params for layer in lacking}
    taken, _ = _fitting(lacking, params, weights)
    puts = _Puts(device)
    for layer in lacking:
        puts.put(layer, taken[layer.name], alone=packs_alone(layer))


def takes_stored(layer: Layer) -> bool:
    """Whether the layer's parameters are stored in one form, its own."""
    return type(layer).convert_weights is Layer.convert_weights


def _forget_packed(params: Sequence[Param], arrays: _Arrays) -> None:
    """Of the parameters that change."""
    for param, array in zip(params, arrays, strict=True):
        if array is not None:
            param.packed.clear()


class _Puts:
    """Sets parameters: what is kept packed alone goes through one buffer."""

    def __init__(self, device: Device) -> None:
        self._device = device
        self._buffer = np.empty(0, np.uint8)

    def put(self, layer: Layer, arrays: _Arrays, *, alone: bool) -> None:
        """Set the parameters of a layer; the first is packed ``alone``, or as it is."""
        for place, (param, array) in enumerate(zip(layer.params, arrays, strict=True)):
            if array is None:
                continue
            if place == 0 and alone and isinstance(layer, PackingLayer):
                param.release()  # so that the buffer may lie where the values would have
                keep_packed(layer, self._read(array, param.data))
            else:
                _put(self._device, array, param.reserve(self._device))

    def _read(self, array: np.ndarray | StoredArray, like: Array) -> np.ndarray:
        """The values of a parameter, until the next one is read."""
        if not isinstance(array, StoredArray):
            return np.ascontiguousarray(array, like.dtype).reshape(like.shape)
        if array.dtype != like.dtype:
            return np.asarray(array.read(), like.dtype).reshape(like.shape)
        if self._buffer.nbytes < like.nbytes:
            self._buffer = np.empty(like.nbytes, np.uint8)
        found: np.ndarray = self._buffer[: like.nbytes].view(like.dtype).reshape(like.shape)
        array.read_into(found)
        return found


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
            np.array(device.get(_values_of(param))) if planned.owner is None else None
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
            spec.blobs.append(from_array(device.get(_values_of(param))))
    return net


def _values_of(param: Param) -> Array:
    if param.released:
        raise ValueError(f"the values of {param.name} are kept packed only")
    return param.data
