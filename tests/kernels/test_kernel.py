"""Which version of a kernel runs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from protonet.device import Device
from protonet.kernels import native
from protonet.kernels.kernel import Kernel
from protonet.precision import type_of


def family() -> tuple[type[Kernel], type[Kernel]]:
    class Definition(Kernel):
        def __init__(self, device: Device, dtype: Any, size: int) -> None:
            super().__init__(device, dtype)
            self.size = size

    class Tuned(Definition, processor="native"):
        @classmethod
        def supports(cls, size: int) -> bool:
            return size > 3

    return Definition, Tuned


def test_the_tuned_version_runs_where_it_can() -> None:
    definition, tuned = family()
    cpu = Device("cpu")
    assert type(definition.make(cpu, np.float32, 4)) is tuned
    assert type(definition.make(cpu, np.float32, 3)) is definition
    assert type(definition.make(cpu, np.float64, 4)) is definition
    assert type(definition.make(Device("cpu", tuned=False), np.float32, 4)) is definition


def test_types_of_16_bits_are_asked_for_by_name() -> None:
    definition, tuned = family()
    cpu = Device("cpu")
    assert type(definition.make(cpu, np.float32, 4)) is tuned
    assert type(definition.make(cpu, np.float16, 4)) is definition
    tuned.dtypes = frozenset({"float16"})
    assert type(definition.make(cpu, np.float16, 4)) is tuned
    assert type(definition.make(cpu, np.float16, 3)) is definition


@pytest.mark.parametrize(
    ("dtype", "real"),
    [("float32", "float32"), ("float64", "float64"), ("bfloat16", "float32")],
)
def test_what_is_computed_is_never_of_16_bits(dtype: str, real: str) -> None:
    definition, _ = family()
    assert definition.make(Device("cpu"), type_of(dtype), 3).real.name == real


def test_without_a_compiler_definitions_run(monkeypatch: pytest.MonkeyPatch) -> None:
    definition, _ = family()
    monkeypatch.setattr(native, "load", lambda: None)
    assert type(definition.make(Device("cpu"), np.float32, 4)) is definition


def test_people_are_told_what_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    assert native.described().startswith("compiled for ")
    monkeypatch.setattr(native, "load", lambda: None)
    assert "not compiled: nets are slow" in native.described()


def test_one_version_for_a_processor() -> None:
    definition, _ = family()
    with pytest.raises(TypeError, match="there is a version for native already"):
        type("Second", (definition,), {}, processor="native")
