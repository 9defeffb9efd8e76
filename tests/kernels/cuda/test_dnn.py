"""cuDNN, played by a stand-in that computes what its graphs describe."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from protonet.device import Device
from protonet.kernels.convolution import Convolve
from protonet.kernels.cuda.convolution_algorithms import as_two_axes
from protonet.kernels.cuda.dnn import dnn, strides
from protonet.kernels.windows import Windows
from protonet.precision import type_of
from tests.kernels.cuda.emulation import EmulatedDevice, array_at, needs_compiler
from tests.kernels.cuda.passes import TYPES, Hand, assert_meets
from tests.kernels.cuda.test_convolution import CASES, RTOL, passes

NOTES = ("NONDETERMINISTIC", "TENSOR_CORE", "DOWN_CONVERT_INPUTS", "REDUCED_PRECISION_REDUCTION")
UNWANTED = {
    "float32": NOTES[:3],
    "float16": (NOTES[0], NOTES[3]),
    "bfloat16": (NOTES[0], NOTES[3]),
}
KINDS = {"float32": "FLOAT", "float16": "HALF", "bfloat16": "BFLOAT16"}


class NoEngineError(Exception):
    """What cuDNN raises where it has no engine."""


class Tensor:
    """What a graph knows of an array."""

    def __init__(self, dim: list[int], stride: list[int], kind: str = "") -> None:
        self.dim, self.stride, self.kind = dim, stride, kind

    def set_output(self, value: bool) -> Tensor:
        assert value
        return self

    def set_data_type(self, kind: str) -> Tensor:
        self.kind = kind
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
        assert how["intermediate_data_type"] == how["compute_data_type"] == "FLOAT"
        self._kind_of_values = how["io_data_type"]

    def tensor(self, *, name: str, dim: list[int], stride: list[int], data_type: str) -> Tensor:
        return Tensor(dim, stride, data_type)

    def conv_fprop(self, *, image: Tensor, weight: Tensor, **how: Any) -> Tensor:
        return self._note("forward", image, weight, how)

    def conv_dgrad(self, *, loss: Tensor, filter: Tensor, **how: Any) -> Tensor:
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
            assert each.kind == self._kind_of_values
        assert self._how["compute_data_type"] == "FLOAT"
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
        (name,) = (name for name, kind in KINDS.items() if kind == self._kind_of_values)
        places = [
            array_at(arrays[each], int(np.prod(each.dim)), type_of(name)).reshape(each.dim)
            for each in (self._first, self._second, self._result)
        ]
        first, second, result = (each.astype(np.float32) for each in places)
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
        places[2][...] = result


class Module:
    """The package ``cudnn``."""

    data_type = SimpleNamespace(**{kind: kind for kind in KINDS.values()})
    heur_mode = SimpleNamespace(A="A", FALLBACK="FALLBACK")
    build_plan_policy = SimpleNamespace(HEURISTICS_CHOICE="HEURISTICS_CHOICE")
    numerical_note = SimpleNamespace(**{name: name for name in NOTES})
    cudnnGraphNotSupportedError = NoEngineError

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
@TYPES
@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_graphs_describe_the_three_products(dtype: str, case: Any) -> None:
    module = Module()
    device, rtol = EmulatedDevice(cudnn=module), RTOL[dtype]
    assert_meets(passes, device, dtype, case, "CUDNN", rtol=rtol, shifts=(0,))
    assert module.executed == ["forward"] * 3 + ["backward", "learn"]
    assert module.built == 3
    assert module.deselected == [UNWANTED[dtype]] * 3


@needs_compiler
def test_what_cudnn_lacks_is_computed_by_our_kernels() -> None:
    module = Module("backward", "learn")
    case = CASES["plain"]
    assert_meets(passes, EmulatedDevice(cudnn=module), "float32", case, "CUDNN", shifts=(0,))
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
    passes(Hand(EmulatedDevice(cudnn=module)), CASES[name], engine)
    assert bool(module.executed) == used


@needs_compiler
def test_tf32_leaves_tensor_cores_in() -> None:
    module = Module()
    passes(Hand(EmulatedDevice(tf32=True, cudnn=module)), CASES["plain"], "")
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
    assert library.plan("conv_fprop", *shapes, windows, np.float16) is not one
    assert module.built == 2


def test_without_cudnn_there_is_none() -> None:
    assert dnn(EmulatedDevice()) is None
