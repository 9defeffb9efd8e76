"""Compiled CUDA sources, and how their functions are launched."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from protonet.device import Device
from protonet.kernels.cuda import source
from protonet.kernels.kernel import Condition, Kernel
from protonet.precision import is_low_precision

BLOCK = 256
"""Threads per block; must agree with ``common.cuh``."""

DTYPES = frozenset({"float32", "float16", "bfloat16"})
"""Of values, for sources that use ``stored``."""

MOST = 2**31 - 1
"""The limit of counts, which are passed as an int."""


def counted(values: str, count: Callable[..., int], least: int = 1) -> Condition:
    """That there are ``least`` values or more, and no more than an int can count.

    Args:
        values: what is counted, in words.
        count: how many there are, for the arguments of a definition.
        least: 1, or 0.
    """
    return Condition(
        f"{least} to 2^31 - 1 {values}", lambda *args, **more: least <= count(*args, **more) <= MOST
    )


ELEMENTS = counted("elements", lambda shape, *_, **__: math.prod(shape))
"""Of kernels whose first argument is a shape."""

COUNT = counted("elements", lambda count, *_: count)
"""Of kernels whose first argument is a count."""

ROWS = counted("elements", lambda rows, length, *_: rows * length)
"""Of kernels whose first arguments are how many rows there are, and how long they are."""

PLANES = counted("elements", lambda items, channels, places, *_: items * channels * places)
"""Of kernels over items x channels x places."""

WIDE = Condition(
    "more than 32 classes, and fewer than 32 places behind them",
    lambda classes, places: classes > 32 and places < 32,
)
"""One block per item pays off."""

_RESIDENT_BLOCKS = 132 * 8
"""Blocks resident at the same time on a large GPU: 2048 threads on each multiprocessor.
Launches depend on it and on shapes alone, so that sums are the same on every GPU."""

_MOST_BLOCKS = 4 * _RESIDENT_BLOCKS
"""Beyond it, threads process several elements each."""

_MOST_PIECES = 128
"""Partial results per sum: one thread adds them up."""

_PACK_BYTES = 16


class Extent(int):
    """A divisor of indices, declared as ``Extent`` in a source: see ``packs.cuh``.

    It must be above 0.
    """

    @property
    def passed(self) -> np.uint64:
        """The count and the multiplier that replaces a division by it, packed as the struct."""
        shift = (self - 1).bit_length()
        multiplier = ((1 << 32) * ((1 << shift) - self)) // self + 1
        return np.uint64(multiplier << 32 | self)


class Source:
    """The functions of one source, compiled when the first one is launched.

    A function takes arrays (None is a null pointer), integers as ``int`` or ``Extent``, and
    other numbers as ``float``. It is launched on the current stream, asynchronously.
    """

    def __init__(self, device: Device, name: str, dtype: Any) -> None:
        options = ["--std=c++17"]
        if is_low_precision(dtype):
            options.append(f"-D{np.dtype(dtype).name.upper()}")
        self._pack = _PACK_BYTES // np.dtype(dtype).itemsize
        self._module = device.xp.RawModule(code=source(name), options=tuple(options))
        self._functions: dict[str, Any] = {}

    def over(self, count: int, function: str, *arguments: Any, rows: int = 1) -> None:
        """Launch for ``count`` elements, in each of ``rows`` rows of blocks."""
        blocks = min(_MOST_BLOCKS, -(-count // BLOCK))
        self.blocks((max(1, blocks), rows), function, *arguments)

    def packs(self, count: int, function: str, *arguments: Any, rows: int = 1) -> None:
        """The same for functions that process ``PACK`` elements per thread and access."""
        self.over(-(-count // self._pack), function, *arguments, rows=rows)

    def blocks(self, grid: tuple[int, ...], function: str, *arguments: Any) -> None:
        """Launch a grid of blocks."""
        if function not in self._functions:
            self._functions[function] = self._module.get_function(function)
        self._functions[function](grid, (BLOCK,), tuple(map(_passed, arguments)))


def compiled(device: Device, name: str, dtype: Any = np.float32) -> Source:
    """The source of this name, compiled for values of this type and cached on the device."""
    key = Source, name, np.dtype(dtype)
    held: Source | None = device.cache.get(key)
    if held is None:
        held = device.cache[key] = Source(device, name, dtype)
    return held


class ChannelSums:
    """Sums over the values of each channel of items x channels x places: each block
    sums a part of a channel, and the partial sums are added in a fixed order.

    Args:
        of: the kernel that sums.
        name: of its source, which has ``add_sums`` and functions that write the parts.
        extents: items, channels and places.
        sums: how many there are of each channel.
    """

    def __init__(self, of: Kernel, name: str, extents: tuple[int, int, int], sums: int) -> None:
        items, channels, places = extents
        self.source = compiled(of.device, name, of.dtype)
        self.seen = (items, Extent(channels), Extent(places))
        self._grid = (channels, pieces(items * places, channels))
        self.parts = of.scratch((*self._grid, sums), np.float32)

    def launch(self, function: str, *arguments: Any) -> None:
        """Launch a function that writes the partial sums."""
        self.source.blocks(self._grid, function, *arguments, *self.seen)

    def add_up(self, *sums: Any) -> None:
        """Add the totals to the per-channel arrays that are not None."""
        self.source.over(self._grid[0], "add_sums", self.parts, *sums, *self._grid)


def pieces(count: int, rows: int) -> int:
    """The number of blocks for each of ``rows`` sums of ``count`` values."""
    return max(1, min(count // (8 * BLOCK), -(-2 * _RESIDENT_BLOCKS // rows), _MOST_PIECES))


def _passed(argument: Any) -> Any:
    """An argument as the type that the CUDA function declares."""
    if argument is None:
        return np.uintp(0)
    if isinstance(argument, Extent):
        return argument.passed
    if isinstance(argument, bool | int):
        return np.int32(argument)
    return np.float32(argument) if isinstance(argument, float) else argument
