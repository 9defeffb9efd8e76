"""A net: the arrays of a plan, and its forward and backward passes as lists of prepared calls."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np

from protonet.blob import Array, Blob, Param, ParamStore, Shape
from protonet.device import Device
from protonet.graph.arrays import Arrays
from protonet.graph.capacity import check_capacity
from protonet.graph.fusion import fuse as fuse_layers
from protonet.graph.memory import lay_out
from protonet.graph.names import Value
from protonet.graph.operations import (
    build_layers,
    loss_scale_of,
    part_of,
    prepared_layers,
    restore_states,
    states_of,
)
from protonet.graph.parameters import make_params, share_params
from protonet.graph.passes import Passes
from protonet.graph.plan import Plan, close_layers
from protonet.graph.runner import Runner
from protonet.graph.shapes import check_batches, reshaped
from protonet.graph.types import choose_types
from protonet.graph.weights import (
    LoadReport,
    complete_params,
    load_params,
    message_of,
    stored_params,
)
from protonet.kernels.random_stream import Clock
from protonet.precision import is_low_precision
from protonet.proto.caffe_pb2 import TRAIN, Int8Parameter, NetParameter

__all__ = ["LoadReport", "Net"]


class Net(Runner):
    """A plan with memory on a device.

    ``forward`` and ``backward`` run prepared calls over fixed arrays: they allocate nothing.
    ``layers`` are copies of the plan's layers, with parameters and scratch of this net; ``params``
    maps each layer's name to its parameters, ``inputs`` the names of inputs to the blobs that a
    caller fills.

    ``blobs`` maps names to readable blobs. There are two memory layouts (``graph.memory``):

    - named, for nets whose blobs are inspected: a name is one array, which in-place layers
      overwrite, as in Caffe. Every blob can be read and written between any two layers.
    - ``packed``, for trainings and fast inference: blobs with disjoint live ranges share memory,
      layers are fused, and only outputs and the plan's ``kept`` can be read.

    Args:
        plan: the plan to build. This net takes over its data layers.
        device: where the arrays live.
        seed: decides the fillers and every random layer.
        gradients: whether ``backward`` can run; by default in phase TRAIN, and with
            ``force_backward`` in the text.
        packed: which layout.
        recompute: with ``packed`` and gradients: free the tops of cheap layers after the forward
            pass, and recompute them for the backward pass.
        fuse: with ``packed``: fuse layers with those that follow them (``graph.fusion``).
        memory_of: a packed net whose arena this one shares if it is large enough; the two must
            not need their blobs at the same time: a test net and its train net.
        precision: the type of values and their gradients where that is numerically safe
            (``graph.types``); parameters are float32. In float16 the gradients of the losses are
            multiplied by ``loss_scale``.
        params_of: a net whose parameters this one shares, for layers of the same name and shapes:
            the train net of a test net.
        loaded: names of layers whose parameters are not filled, for ``load`` sets all of them.
        keep_weights: parameters are changed by ``load`` and ``share_with`` only, so that layers may
            keep them in another form, rounded and packed.
        int8: with ``packed`` and ``keep_weights``, of a file of weights: what was measured of each
            layer's values. Where the device has kernels for it, layers compute in 8-bit integers.

    Raises:
        DeviceError: when the arrays do not fit into the device's memory.
    """

    def __init__(
        self,
        plan: Plan,
        device: Device,
        *,
        seed: int = 0,
        dtype: Any = np.float32,
        gradients: bool | None = None,
        packed: bool = False,
        recompute: bool = False,
        fuse: bool = True,
        precision: Any = np.float32,
        memory_of: Net | None = None,
        params_of: Net | None = None,
        keep_weights: bool = False,
        loaded: Collection[str] = (),
        int8: Mapping[str, Int8Parameter] | None = None,
    ) -> None:
        if gradients is None:
            gradients = plan.phase == TRAIN or plan.definition.net.force_backward
        if not (packed and keep_weights and precision == np.float32) or gradients:
            int8 = None
        plan = _fused(plan, device, int8, gradients=gradients) if packed and fuse else plan
        self.plan, self.device, self.seed, self.gradients = plan, device, seed, gradients
        self.dtype, self._precision = np.dtype(dtype), np.dtype(precision)
        self.packed, self._recompute, self._keep_weights = packed, recompute, keep_weights
        check_capacity(plan, device, gradients=gradients, packed=packed, precision=precision)
        self.clock, self.part = Clock(device), part_of(plan)
        self.blobs: dict[str, Blob] = {}
        self.inputs: dict[str, Blob] = {}
        self.params: dict[str, list[Param]] = {}
        self.loss_scale = loss_scale_of(device, precision) if gradients else None
        self._lent = memory_of._arrays.arena if memory_of is not None else None
        self.layers = prepared_layers(
            plan, device, self.dtype, seed, self.clock, gradients=gradients, keep=keep_weights
        )
        self.store = self._make_params(params_of, loaded)
        self._of_batches: dict[tuple[Shape, ...], Passes] = {}
        check_batches(plan, self.layers)
        self._allocate()

    # Values.

    def outputs(self) -> list[tuple[str, np.ndarray, float]]:
        """Name, values (a copy on the host) and loss weight of every output, alphabetically."""
        get, data = self.device.get, self._arrays.data
        return [
            (value.name, np.array(get(data[value]), self.dtype), value.loss_weight)
            for value in self.plan.outputs
        ]

    def data_of(self, value: Value) -> Array:
        """The array of a value of the plan; later values may share its memory, unless the plan
        keeps it.
        """
        return self._arrays.data[value]

    def diff_of(self, value: Value) -> Array | None:
        """The gradient of a value of the plan, if it has one."""
        return self._arrays.diff.get(value)

    # Weights and state.

    def load(
        self,
        weights: Mapping[str, Sequence[np.ndarray | None]],
        source: str,
        *,
        allow_mismatch: bool = False,
        release: bool = False,
    ) -> LoadReport:
        """Cast weights in by layer name, as Caffe does; None leaves a parameter as it is.

        With ``allow_mismatch``, layers whose parameters differ in count or shape are skipped. With
        ``release``, of a net that keeps weights, parameters that its layers read packed and in no
        other form are kept so alone: they can be loaded, shared with nets for other batches
        (``complete``), and not be read or reshaped.

        Raises:
            FormatError: listing every such layer otherwise; then nothing is loaded.
        """
        how: Any = {"allow_mismatch": allow_mismatch, "release": release}
        report = load_params(self.layers, weights, source, self.device, **how)
        self._forget_weights()
        return report

    def complete(self, weights: Mapping[str, Sequence[np.ndarray | None]]) -> None:
        """Load what this net needs of weights that the net whose parameters it shares has loaded
        and released.
        """
        complete_params(self.layers, weights, self.device)

    def share_with(self, other: Net) -> None:
        """Share the parameters of another net, not their gradients, for layers of the same name.

        Raises:
            FormatError: where parameters differ in count or shape; then nothing is shared.
        """
        share_params(self.plan, self.layers, other.params)
        self._forget_weights()
        self._show_params()
        self._prepare()

    def message(self) -> NetParameter:
        """The net with its parameters as Caffe's message, for a .caffemodel."""
        return message_of(self.plan, self.layers, self.device)

    def stored_params(self) -> dict[str, list[np.ndarray | None]]:
        """The parameters of each layer, on the host; None for one that another layer owns."""
        return stored_params(self.plan, self.layers, self.device)

    def state(self) -> dict[str, Any]:
        """What an exact resume needs in addition to parameters: JSON values only."""
        return {"passes": self.clock.iteration, "layers": states_of(self.layers)}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Restore a ``state``."""
        self.clock.iteration = state["passes"]
        restore_states(self.layers, state["layers"])

    def close(self) -> None:
        """Release files and threads of the data layers."""
        close_layers(self.layers)

    # Shapes.

    def reshape(self, inputs: Mapping[str, Shape], last: int | None = None) -> None:
        """Change the shapes of input blobs, and all shapes that follow from them.

        Parameters keep their values, as do inputs whose shape stays the same. Steps behind
        ``last`` keep their shapes and must not run until all have new ones.

        Raises:
            KeyError: for a name that is not an input.
            LayerError: naming the layer that refuses its new bottoms; the net is unchanged.
        """
        wanted = {value: value.shape for value in self.plan.inputs}
        by_name = {value.name: value for value in wanted}
        wanted.update({by_name[name]: tuple(shape) for name, shape in inputs.items()})
        plan = reshaped(self.plan, self.layers, wanted, last)
        how = {"gradients": self.gradients, "packed": self.packed}
        check_capacity(plan, self.device, **how, precision=self._precision)
        kept = {
            value: np.array(self.device.get(self._arrays.data[value]))
            for step in self.plan.steps
            for value in step.tops
            if step.layer.traits.persistent_tops and wanted.get(value, value.shape) == value.shape
        }
        self.plan = plan
        self._allocate(last, again=True)
        for value, host in kept.items():
            self.device.put(host, self._arrays.data[value])

    # Building.

    def _make_params(self, lender: Net | None, loaded: Collection[str]) -> ParamStore:
        """Make the layers' parameters; those of the same layer and shape in ``lender`` are
        shared.
        """
        plan, device = self.plan, self.device
        lent = lender.params if lender is not None else {}
        how: Any = {"gradients": self.gradients, "loaded": loaded, "flat": not self._keep_weights}
        with device.out_of_memory(f"net '{plan.name}' needs more memory for its parameters"):
            store = make_params(plan, self.layers, device, self.dtype, self.seed, lent, **how)
        for layer in self.layers:
            if layer.params:
                self.params.setdefault(layer.name, layer.params)
        return store

    def _allocate(self, last: int | None = None, *, again: bool = False) -> None:
        """Allocate the arrays for the current shapes and the layers' scratch; prepare the calls."""
        plan, device = self.plan, self.device
        types = choose_types(plan, device, self.dtype, self._precision)
        for index, layer in enumerate(self.layers):
            layer.dtype = types.in_step(index)
        narrow = is_low_precision(self._precision)
        if self.packed and not self.gradients and (narrow or self._keep_weights):
            from protonet.graph.pixels import form_of, with_pixels  # for these nets only

            types = with_pixels(plan, device, types, keep_weights=self._keep_weights)
            for index, layer in enumerate(self.layers):
                layer.pixels = form_of(types, index, plan.steps[index])
        self.layout = lay_out(
            plan, types, gradients=self.gradients, packed=self.packed, recompute=self._recompute
        )
        size = self.layout.bytes
        with device.out_of_memory(f"net '{plan.name}' needs {size >> 20} MiB for its blobs"):
            self._arrays = Arrays(self.layout, device, self._lent)
            self._show_params()
            build_layers(plan, self.layers, self._arrays.data, last, again=again)
        self._prepare()

    def _forget_weights(self) -> None:
        """Tell the layers of every batch that parameters have changed."""
        for layers in (self.layers, *(passes.layers for passes in self._of_batches.values())):
            for layer in layers:
                layer.forget_weights()

    def _show_params(self) -> None:
        """Make tops that show parameters views of them."""
        if not self.packed:
            self._arrays.show_params(self.plan.steps, self.layers)


def _fused(
    plan: Plan, device: Device, int8: Mapping[str, Int8Parameter] | None, *, gradients: bool
) -> Plan:
    """The plan with layers fused, and in integers for these parameters."""
    if int8:
        from protonet.graph.int8 import computes_in_integers, quantized  # for quantized nets only

        if computes_in_integers(device):
            return quantized(fuse_layers(plan, gradients=gradients, sums=False), int8)
    return fuse_layers(plan, gradients=gradients)
