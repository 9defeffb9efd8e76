"""The CPU kernels in C++, compiled for several instruction sets: ``load`` gives the best one that
the processor supports. They take contiguous arrays of float32, and some of bfloat16 (``of``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from importlib import import_module
from typing import Any

import numpy as np

PIXELS: Mapping[str, str] = {"float32": "avx512f", "bfloat16": "avx512_bf16"}
"""The instructions that kernels over pixels need, by the type of the values."""


@cache
def load() -> Any:
    """The compiled module; None where the package was installed without a C++ compiler."""
    try:
        select = import_module("protonet.kernels.native.select")
    except ImportError:
        return None
    return import_module(f"protonet.kernels.native.{select.best()}")


def of(dtype: np.dtype[Any]) -> Any:
    """The kernels whose values are stored in ``dtype``: float32 or bfloat16."""
    return load() if dtype.itemsize == 4 else _bfloat16(load())


@cache
def _bfloat16(module: Any) -> InWords:
    return InWords(module.bfloat16)


class InWords:
    """A compiled module or object to which arrays of bfloat16 are passed as words of 16 bits, since
    NumPy has no such type that C++ could read.
    """

    def __init__(self, made: Any) -> None:
        self._made = made

    def __getattr__(self, name: str) -> Callable[..., Any]:
        found = getattr(self._made, name)
        if isinstance(found, type):

            def call(*arguments: Any) -> Any:
                return InWords(found(*arguments))
        else:

            def call(*arguments: Any) -> Any:
                return found(*map(words, arguments))

        setattr(self, name, call)
        return call


def words(argument: Any) -> Any:
    """An array of bfloat16, or a list of arrays, as words; anything else as it is."""
    if isinstance(argument, np.ndarray):
        return argument.view(np.uint16) if argument.dtype.kind == "V" else argument
    return [words(each) for each in argument] if isinstance(argument, list | tuple) else argument


def has(feature: str) -> bool:
    """Whether kernels may use an instruction beyond the compiled set: ``avx512_bf16``, ..."""
    module = load()
    return module is not None and feature in module.features()


def takes_pixels(dtype: str) -> bool:
    """Whether there are kernels over pixels of a type."""
    return dtype in PIXELS and has(PIXELS[dtype])


def threads() -> int:
    """The threads that kernels run on."""
    module = load()
    return 1 if module is None else int(module.threads())


def described() -> str:
    """A description of what runs on this processor."""
    module = load()
    if module is None:
        return "not compiled: nets are slow; install again where there is a C++ compiler"
    name: str = module.__name__.rpartition(".")[2]
    return f"compiled for {name}, on {threads()} thread(s)"
