"""cuDNN, played by a stand-in that computes what its graphs describe."""

from __future__ import annotations

import ctypes
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from protonet.device import Device
from protonet.kernels.convolution import Convolve
from protonet.kernels.cuda.dnn import dnn, strides
from protonet.kernels.cuda.ways import as_two_axes
from protonet.kernels.windows import Windows
from tests.kernels.cuda.emulation import EmulatedDevice, needs_compiler
from tests.kernels.cuda.passes import assert_same
from tests.kernels.cuda.test_convolution import CASES, passes

NOTES = ("NONDETERMINISTIC", "TENSOR_CORE", "DOWN_CONVERT_INPUTS")


class NoEngineError(Exception):
    """What cuDNN raises where it has no engine."""


class Tensor:
    """What a graph knows of an array."""

    def __init__(self, dim: list[int], stride: list[int]) -> None:
        self.dim, self.stride = dim, stride

    def set_output(self, value: bool) -> Tensor:
        assert value
        return self

    def set_data_type(self, kind: str) -> Tensor:
        assert kind == "FLOAT"
        return self

    def set_dim(self, dim: list[int]) -> Tensor:
        self.dim = dim
        return self

    def set_stride(self, stride: list[int]) -> Tensor:
        self.stride = stride
        return self


class Graph:
    """One convolution; its stages must be built in order."""

    def __init__(self, module: Module, **how: Any) -> None:
        self._module = module
        self._stages: list[str] = []
        assert how["handle"] is module.handle

    def tensor(self, *, name: str, dim: list[int], stride: list[int], data_type: str) -> Tensor:
        return Tensor(dim, stride)

    def conv_fprop(self, *, image: Tensor, weight: Tensor, **how: Any) -> Tensor:
        return self._note("forward", image, weight, how)

    def conv_dgrad(self, *, loss: Tensor, filter: Tensor, **how: Any) -> Tensor:  # noqa: A002
        return self._note("backward", loss, filter, how)

    def conv_wgrad(self, *, image: Tensor, loss: Tensor, **how: Any) -> Tensor:
        return self._note("learn", image, loss, how)

    def _note(self, kind: str, first: Tensor, second: Tensor, how: dict[str, Any]) -> Tensor:
        self._kind, self._first, self._second, self._how = kind, first, second, how
        self._result = Tensor([], [])
        return self._result

    def validate(self) -> None:
        for each in (self._first, self._second, self._result):
            assert each.stride == strides(tuple(each.dim))
        self._stages.append("validate")

    def build_operation_graph(self) -> None:
        self._stages.append("lower")

    def create_execution_plans(self, modes: list[str]) -> None:
        assert self._stages == ["validate", "lower"]
        assert modes == ["A", "FALLBACK"]

    def deselect_numeric_notes(self, notes: list[str]) -> None:
        self._module.deselected.append(tuple(notes))

    def check_support(self) -> None:
        if self._kind in self._module.lacks:
            raise NoEngineError(self._kind)

    def build_plans(self, policy: str) -> None:
        self._module.built += 1

    def get_workspace_size(self) -> int:
        return 1000 * self._module.built

    def execute(self, arrays: dict[Tensor, int], workspace: int, handle: object) -> None:
        assert handle is self._module.handle
        assert workspace
        self._module.executed.append(self._kind)
        first, second, result = (
            _at(arrays[each], each.dim) for each in (self._first, self._second, self._result)
        )
        x, y, w = {
            "forward": (first, result, second),
            "backward": (result, first, second),
            "learn": (first, second, result),
        }[self._kind]
        windows = Windows(
            x.shape[2:], w.shape[2:], tuple(self._how["stride"]), tuple(self._how["padding"]),
            tuple(self._how["dilation"]), y.shape[2:],
        )  # fmt: skip
        group = x.shape[1] // w.shape[1]
        plain = Device("cpu", tuned=False)
        kernel = Convolve.make(
            plain, np.float32, windows, len(x), x.shape[1], y.shape[1], group, "CAFFE"
        )
        if self._kind == "forward":
            kernel.forward(x, w, None, y)
        elif self._kind == "backward":
            kernel.backward(y, w, x)
        else:
            w.fill(0)
            kernel.learn(y, x, w)


def _at(address: int, dim: list[int]) -> np.ndarray:
    count = int(np.prod(dim))
    flat = np.ctypeslib.as_array((ctypes.c_float * count).from_address(address))
    return flat.reshape(dim)


class Module:
    """The package ``cudnn``."""

    data_type = SimpleNamespace(FLOAT="FLOAT")
    heur_mode = SimpleNamespace(A="A", FALLBACK="FALLBACK")
    build_plan_policy = SimpleNamespace(HEURISTICS_CHOICE="HEURISTICS_CHOICE")
    numerical_note = SimpleNamespace(**{name: name for name in NOTES})
    cudnnGraphNotSupportedError = NoEngineError  # noqa: N815

    def __init__(self, *lacks: str) -> None:
        self.lacks, self.handle = lacks, object()
        self.built = 0
        self.executed: list[str] = []
        self.deselected: list[tuple[str, ...]] = []

    def create_handle(self) -> object:
        return self.handle

    def set_stream(self, *, handle: object, stream: int) -> None:
        assert handle is self.handle

    def pygraph(self, **how: Any) -> Graph:
        return Graph(self, **how)


@needs_compiler
@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_graphs_describe_the_three_products(case: Any) -> None:
    module = Module()
    found = passes(EmulatedDevice(cudnn=module), np.float32, case, "CUDNN")
    assert_same(found, passes(Device("cpu", tuned=False), np.float64, case))
    assert module.executed == ["forward"] * 3 + ["backward", "learn"]
    assert module.built == 3
    assert module.deselected == [NOTES] * 3


@needs_compiler
def test_what_cudnn_lacks_is_computed_by_our_kernels() -> None:
    module = Module("backward", "learn")
    case = CASES["plain"]
    found = passes(EmulatedDevice(cudnn=module), np.float32, case, "CUDNN")
    assert_same(found, passes(Device("cpu", tuned=False), np.float64, case))
    assert module.executed == ["forward"] * 3


@needs_compiler
@pytest.mark.parametrize(
    ("name", "engine", "used"),
    [
        ("plain", "", True),
        ("plain", "CAFFE", False),
        ("depthwise", "", False),
        ("depthwise", "CUDNN", True),
    ],
)
def test_the_engine_decides(name: str, engine: str, used: bool) -> None:
    module = Module()
    passes(EmulatedDevice(cudnn=module), np.float32, CASES[name], engine)
    assert bool(module.executed) == used


@needs_compiler
def test_tf32_leaves_tensor_cores_in() -> None:
    module = Module()
    passes(EmulatedDevice(tf32=True, cudnn=module), np.float32, CASES["plain"], "")
    assert set(module.deselected) == {("NONDETERMINISTIC",)}


def test_plans_of_one_shape_are_built_once() -> None:
    module = Module()
    library = dnn(EmulatedDevice(cudnn=module))
    assert library is not None
    windows = as_two_axes(Windows((5,), (3,), (1,), (1,), (1,), (5,)))
    shapes = (2, 3, 1, 5), (4, 3, 1, 3), (2, 4, 1, 5)
    one = library.plan("conv_fprop", *shapes, windows)
    assert library.plan("conv_fprop", *shapes, windows) is one
    assert module.built == 1


def test_without_cudnn_there_is_none() -> None:
    assert dnn(EmulatedDevice()) is None
