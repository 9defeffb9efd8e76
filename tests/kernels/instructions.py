"""What tests of compiled kernels share: every instruction set, and several counts of threads."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any

import numpy as np
import pytest

from protonet.device import Device
from protonet.kernels import native

MODULES = ["baseline", "avx2", "avx512"]
CPU, UNTUNED = Device("cpu"), Device("cpu", tuned=False)
INTEGERS = CPU if native.has("int8") else UNTUNED
"""Computes in 8-bit integers whatever the processor has, if need be by the definitions."""


def use(module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let kernels be made of this instruction set; skip where the processor lacks it."""
    best = import_module("protonet.kernels.native.select").best()
    if MODULES.index(module) > MODULES.index(best):
        pytest.skip(f"this processor has no {module}")
    compiled = import_module(f"protonet.kernels.native.{module}")
    monkeypatch.setattr(native, "load", lambda: compiled)


def both(kind: Any, *arguments: Any) -> tuple[Any, Any]:
    """The native version of a kernel for float32, and its definition for float64."""
    tuned = kind.make(CPU, np.float32, *arguments)
    definition = kind.make(UNTUNED, np.float64, *arguments)
    assert tuned.processor == "native"
    assert type(definition) is kind
    return tuned, definition


def check_threads(passes: Callable[[], Sequence[np.ndarray]]) -> None:
    """The number of threads changes no bit."""
    module = native.load()
    before = module.threads()
    found = []
    for threads in (1, 2, 3, 5):
        module.set_threads(threads)
        found.append([array.tobytes() for array in passes()])
    module.set_threads(before)
    assert all(other == found[0] for other in found[1:])
