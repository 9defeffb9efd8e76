"""Convolutions through cuDNN's graph API: a plan for each operation and shape, built once."""

from __future__ import annotations

from typing import Any

import numpy as np

from protonet.blob import Array, Shape
from protonet.device import Device
from protonet.kernels.windows import Windows
from protonet.precision import is_low_precision

FORWARD, BACKWARD, LEARN = "conv_fprop", "conv_dgrad", "conv_wgrad"

_OPERANDS = {
    FORWARD: ("image", "weight"),
    BACKWARD: ("loss", "filter"),
    LEARN: ("image", "loss"),
}


_TYPES = {"float32": "FLOAT", "float16": "HALF", "bfloat16": "BFLOAT16"}
"""cuDNN's names of element types."""


class NotSupportedError(Exception):
    """No engine of cuDNN supports this operation."""


class Dnn:
    """cuDNN on a device: a handle, its execution plans, and a workspace that they share."""

    def __init__(self, device: Device, module: Any) -> None:
        self.device, self.module = device, module
        self.handle = module.create_handle()
        self._plans: dict[tuple[Any, ...], Plan] = {}
        # A captured graph keeps using the workspace of its capture: none is freed.
        self._workspaces = [device.empty((0,), np.uint8)]

    def plan(
        self,
        operation: str,
        first: Shape,
        second: Shape,
        result: Shape,
        windows: Windows,
        dtype: Any = np.float32,
    ) -> Plan:
        """The plan of an operation on arrays of these shapes, all of one type.

        Raises:
            NotSupportedError: where cuDNN has none.
        """
        dtype = np.dtype(dtype)
        key = (operation, first, second, result, windows, dtype)
        if key not in self._plans:
            self._plans[key] = Plan(self, operation, (first, second, result), windows, dtype)
            if self._plans[key].workspace > self._workspaces[-1].size:
                space = self.device.empty((self._plans[key].workspace,), np.uint8)
                self._workspaces.append(space)
        return self._plans[key]

    def execute(self, graph: Any, arrays: dict[Any, int]) -> None:
        """Launch a built graph on the current stream."""
        self.module.set_stream(handle=self.handle, stream=self.device.stream_pointer())
        graph.execute(arrays, self._workspaces[-1].data.ptr, handle=self.handle)


class Plan:
    """One operation of cuDNN, summed in float32, and reproducible.

    Factors are strictly float32 unless the device allows TF32, or of 16 bits.
    """

    def __init__(
        self,
        library: Dnn,
        operation: str,
        shapes: tuple[Shape, Shape, Shape],
        windows: Windows,
        dtype: np.dtype[Any],
    ) -> None:
        self._library, module = library, library.module
        real, kind = module.data_type.FLOAT, getattr(module.data_type, _TYPES[dtype.name])
        self._graph = module.pygraph(
            handle=library.handle,
            io_data_type=kind,
            intermediate_data_type=real,
            compute_data_type=real,
        )
        names = _OPERANDS[operation]
        self._operands = [
            self._graph.tensor(name=name, dim=list(shape), stride=strides(shape), data_type=kind)
            for name, shape in zip(names, shapes[:2], strict=True)
        ]
        self._result = getattr(self._graph, operation)(
            **dict(zip(names, self._operands, strict=True)),
            padding=list(windows.pad),
            stride=list(windows.stride),
            dilation=list(windows.dilation),
            compute_data_type=real,
        )
        self._result.set_output(True).set_data_type(kind)
        self._result.set_dim(list(shapes[2])).set_stride(strides(shapes[2]))
        self._build(self._unwanted(dtype))
        self.workspace = int(self._graph.get_workspace_size())

    def _unwanted(self, dtype: np.dtype[Any]) -> list[Any]:
        """Numerical notes that exclude an engine."""
        note = self._library.module.numerical_note
        unwanted = [note.NONDETERMINISTIC]
        if is_low_precision(dtype):
            unwanted += [note.REDUCED_PRECISION_REDUCTION]
        elif not self._library.device.tf32:
            unwanted += [note.TENSOR_CORE, note.DOWN_CONVERT_INPUTS]
        return unwanted

    def _build(self, unwanted: list[Any]) -> None:
        graph, module = self._graph, self._library.module
        try:
            graph.validate()
            graph.build_operation_graph()
            graph.create_execution_plans([module.heur_mode.A, module.heur_mode.FALLBACK])
            graph.deselect_numeric_notes(unwanted)
            graph.check_support()
            graph.build_plans(module.build_plan_policy.HEURISTICS_CHOICE)
        except module.cudnnGraphNotSupportedError as error:
            raise NotSupportedError(str(error)) from error

    def __call__(self, first: Array, second: Array, result: Array) -> None:
        """Write the result; asynchronous."""
        tensors = (*self._operands, self._result)
        given = (first, second, result)
        pointers = {
            tensor: int(array.data.ptr) for tensor, array in zip(tensors, given, strict=True)
        }
        self._library.execute(self._graph, pointers)


def strides(shape: Shape) -> list[int]:
    """The strides of a C-contiguous array."""
    found, step = [], 1
    for extent in reversed(shape):
        found.append(step)
        step *= extent
    return found[::-1]


def dnn(device: Device) -> Dnn | None:
    """CuDNN on a device, where it is installed."""
    if Dnn not in device.cache:
        module = device.cudnn()
        device.cache[Dnn] = Dnn(device, module) if module is not None else None
    held: Dnn | None = device.cache[Dnn]
    return held
