"""Random numbers that depend on a seed, a name and the count of forward passes alone."""

from __future__ import annotations

import copy
import zlib
from functools import cached_property
from typing import Any

import numpy as np

from protonet.device import Device
from protonet.ranks.communicator import Part


class Clock:
    """The count of forward passes that a net has made: the only state of its random numbers."""

    def __init__(self, device: Device) -> None:
        self._device_iteration = None if device.is_cpu else device.zeros((1,), np.uint64)
        self._iteration = 0

    @property
    def iteration(self) -> int:
        """Forward passes so far."""
        return self._iteration

    @iteration.setter
    def iteration(self, value: int) -> None:
        self._iteration = value
        if self._device_iteration is not None:
            self._device_iteration.fill(value)

    def count(self) -> None:
        """Count one more, after ``advance`` was queued; does not synchronize."""
        self._iteration += 1

    def advance(self) -> None:
        """Queue the increment in device memory; a captured graph includes it."""
        if self._device_iteration is not None:
            self._device_iteration += 1

    @property
    def on_device(self) -> Any:
        """The iteration as one uint64 in device memory, for kernels; None on a CPU."""
        return self._device_iteration


_IN_BLOCK = 8
"""float32 numbers in a block of Philox: four words of 64 bits."""


class RandomStream:
    """Uniform numbers, a function of ``(seed, name, iteration)``, equal on every device.

    Of a rank that computes a ``part`` of the batch they are the part of the same numbers, in arrays
    with as many for each item; other arrays are the same on all ranks.
    """

    def __init__(
        self,
        device: Device,
        seed: int,
        name: str,
        clock: Clock | None = None,
        part: Part | None = None,
    ) -> None:
        self.device, self.part = device, part
        self.key = (seed & (2**64 - 1), zlib.crc32(name.encode()))
        self.clock = clock or Clock(device)

    @cached_property
    def _bits(self) -> np.random.Philox:
        """Made for layers that draw numbers."""
        return np.random.Philox(key=np.array(self.key, np.uint64))

    @cached_property
    def _generator(self) -> np.random.Generator:
        return np.random.Generator(self._bits)

    def uniform(self, out: Any) -> None:
        """Fill the float32 array ``out`` (contiguous) with numbers of [0, 1) for this iteration."""
        runs = self.runs(out.size)
        if len(runs) == 1:
            self._fill(out, runs[0][1])
            return
        assert self.part is not None, "of several runs"
        whole = self.device.empty((self.part.whole, out.size // self.part.count), np.float32)
        self._fill(whole, 0)
        out.reshape(self.part.count, -1)[...] = whole[self.part.places]

    def runs(self, size: int) -> list[tuple[slice, int]]:
        """Neighbouring numbers of an array of so many: their places, and the first one's number
        among those of the iteration.
        """
        part = self.part
        if part is None or size % part.count:
            return [(slice(0, size), 0)]
        each = size // part.count
        if part.step == 1:
            return [(slice(0, size), part.first * each)]
        return [
            (slice(item * each, (item + 1) * each), (part.first + item * part.step) * each)
            for item in range(part.count)
        ]

    def of(self, part: Part | None) -> RandomStream:
        """The same numbers, for work on another part of the batch; None for all."""
        other = copy.copy(self)
        other.part = part
        return other

    def _fill(self, out: Any, first: int) -> None:
        """Fill an array with the numbers from ``first`` on."""
        if self.device.is_cpu:
            generator = self.host()
            self._skip(first)
            generator.random(dtype=np.float32, out=out)
            return
        # only with a GPU, like all of kernels.cuda
        from protonet.kernels.cuda.launch import BLOCK, compiled

        keys = (np.uint64(key) for key in self.key)
        source = compiled(self.device, "random_stream")
        blocks = -(-(first % _IN_BLOCK + out.size) // (_IN_BLOCK * BLOCK))
        sizes = (np.uint64(out.size), np.uint64(first))
        source.blocks((blocks,), "uniform", out, *sizes, *keys, self.clock.on_device)

    def host(self) -> np.random.Generator:
        """NumPy's generator at the start of this iteration's numbers, for work on the CPU."""
        self._bits.state = {
            "bit_generator": "Philox",
            "state": {
                "counter": np.array([0, 0, self.clock.iteration, 0], np.uint64),
                "key": np.array(self.key, np.uint64),
            },
            "buffer": np.zeros(4, np.uint64),
            "buffer_pos": 4,
            "has_uint32": 0,
            "uinteger": 0,
        }
        return self._generator

    def _skip(self, count: int) -> None:
        """Skip so many float32 numbers, eight to a block of the counter."""
        if count:
            self._bits.advance(count // _IN_BLOCK)
            self._generator.random(count % _IN_BLOCK, dtype=np.float32)
