"""Sums of gradients over ranks whose messages have 16 bits a number."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from protonet.blob import Array
from protonet.device import Device
from protonet.kernels.convert import Convert
from protonet.ranks.communicator import Communicator, Pending

_HEADER = 8
"""Words of a message before its numbers: their factor, as float32. Messages and their numbers begin
at multiples of 16 bytes, as GPUs read them.
"""
_EXPONENT = 15
"""The largest number of a message is below 2 to this power, the range of float16."""
_MOST = 100
"""The largest power of two of a factor, so that neither it nor its reciprocal overflows."""


class CompressedSums:
    """Sums arrays over ranks: each adds up a block of them in float32, in the order of ranks.

    Numbers travel in ``dtype``: each rank rounds its own once, and the rank of a block rounds its
    sum once, however many ranks there are. All get the same bits. In float16 each message has a
    power of two that its numbers were multiplied by, so that they neither overflow nor vanish.
    """

    def __init__(self, ranks: Communicator, device: Device, dtype: Any) -> None:
        self.ranks, self.device, self.dtype = ranks, device, np.dtype(dtype)
        self.scales = self.dtype == np.float16
        self._free: dict[int, list[_Buffers]] = {}
        self._last: _CompressedSum | None = None

    def begin_sum(self, array: Array) -> Pending:
        """Begin to replace an array, which must not be touched until the sum is complete."""
        free = self._free.setdefault(array.size, [])
        buffers = free.pop() if free else _Buffers(self, array.size)
        self._last = _CompressedSum(self, array, buffers, self._last)
        return self._last

    def give_back(self, buffers: _Buffers, array: Array) -> None:
        """Take the buffers of a sum that is complete."""
        self._free[array.size].append(buffers)


class _Buffers:
    """The messages of a sum of ``count`` numbers, and a block of them in float32."""

    def __init__(self, sums: CompressedSums, count: int) -> None:
        ranks, device, dtype = sums.ranks.size, sums.device, sums.dtype
        self.block = -(-count // ranks)
        words = _HEADER * (1 - (-self.block // _HEADER))
        self.sent, self.received, self.collected = (
            device.zeros((ranks, words), np.uint16) for _ in range(3)
        )
        self.own = device.zeros((words,), np.uint16)
        self.total, self.part = (device.zeros((self.block,), np.float32) for _ in range(2))
        self._scales, self._dtype, self._xp = sums.scales, dtype, device.xp
        self._convert = Convert.make(device, dtype, self.block)

    def pack(self, values: Array, message: Array) -> None:
        """Write a message of numbers, no more than a block."""
        factor = self._factor(values) if self._scales else 1.0
        message[:_HEADER].view(np.float32)[...] = factor
        self._xp.multiply(values, np.float32(factor), out=self.part[: values.size])
        if values.size < self.block:
            self.part[values.size :].fill(0)
        self._convert.narrow(self.part, self._numbers(message))

    def unpack(self, message: Array, values: Array) -> None:
        """Write the numbers of a message."""
        factor = float(message[:_HEADER].view(np.float32)[0]) if self._scales else 1.0
        whole = values.size == self.block  # as many as the kernel converts
        target = values if whole else self.part
        self._convert.widen(self._numbers(message), target)
        if not whole:
            self._xp.copyto(values, target[: values.size])
        if factor != 1.0:
            self._xp.multiply(values, np.float32(1.0 / factor), out=values)

    def _numbers(self, message: Array) -> Array:
        """The numbers of a message, a whole block."""
        return message[_HEADER : _HEADER + self.block].view(self._dtype)

    def _factor(self, values: Array) -> float:
        """A power of two: the largest number times it just fits; 1 where that is none."""
        if not values.size:
            return 1.0
        largest = float(self._xp.maximum(values.max(), -values.min()))
        if not math.isfinite(largest) or largest == 0.0:
            return 1.0
        exponent = _EXPONENT - math.frexp(largest)[1]
        return math.ldexp(1.0, max(-_MOST, min(_MOST, exponent)))


class _CompressedSum:
    """A sum in two exchanges: blocks to the ranks that add them up, and sums to all."""

    def __init__(
        self, sums: CompressedSums, array: Array, buffers: _Buffers, before: _CompressedSum | None
    ) -> None:
        self._sums, self._array, self._buffers, self._before = sums, array, buffers, before
        for rank, message in enumerate(buffers.sent):
            buffers.pack(array[self._block(rank)], message)
        self._swap = sums.ranks.begin_swap(buffers.sent, buffers.received)
        self._collect: Pending | None = None

    def progress(self) -> bool:
        """Let it proceed, without waiting; whether it is complete."""
        if self._collect is None and self._is_next and self._swap.progress():
            self._add_up()
        return self._collect is not None and self._collect.progress()

    def wait(self) -> None:
        """Wait until the array has the sum. Sums are waited for in the order of their begin."""
        if self._collect is None:
            self._swap.wait()
            self._add_up()
        assert self._collect is not None
        self._collect.wait()
        buffers, self._before = self._buffers, None
        for rank, message in enumerate(buffers.collected):
            buffers.unpack(message, self._array[self._block(rank)])
        self._sums.give_back(buffers, self._array)

    @property
    def _is_next(self) -> bool:
        """Whether its second exchange is the next one on every rank."""
        return self._before is None or self._before._collect is not None

    def _block(self, rank: int) -> slice:
        size = self._buffers.block
        return slice(rank * size, (rank + 1) * size)

    def _add_up(self) -> None:
        """Add up the blocks of all ranks, and begin to send the sum."""
        buffers, xp = self._buffers, self._sums.device.xp
        size = self._array[self._block(self._sums.ranks.rank)].size
        total, part = buffers.total[:size], buffers.part[:size]
        total.fill(0)
        for message in buffers.received:
            buffers.unpack(message, part)
            xp.add(total, part, out=total)
        buffers.pack(total, buffers.own)
        self._collect = self._sums.ranks.begin_collect(buffers.own, buffers.collected)
