"""The CPU kernels in C++, compiled for several instruction sets: ``load`` gives the best one that
the processor supports. They take contiguous float32 arrays.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import Any


@cache
def load() -> Any:
    """The compiled module; None where the package was installed without a C++ compiler."""
    try:
        select = import_module("protonet.kernels.native.select")
    except ImportError:
        return None
    return import_module(f"protonet.kernels.native.{select.best()}")


def described() -> str:
    """A description of what runs on this processor."""
    module = load()
    if module is None:
        return "not compiled: nets are slow; install again where there is a C++ compiler"
    name: str = module.__name__.rpartition(".")[2]
    return f"compiled for {name}, on {module.threads()} thread(s)"
