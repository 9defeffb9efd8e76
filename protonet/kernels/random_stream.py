"""Random numbers that depend on a seed, a name and the count of forward passes alone."""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np

from protonet.device import Device


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


class RandomStream:
    """Uniform numbers, a function of ``(seed, name, iteration)``, equal on every device."""

    def __init__(self, device: Device, seed: int, name: str, clock: Clock | None = None) -> None:
        self.device = device
        self.key = (seed & (2**64 - 1), zlib.crc32(name.encode()))
        self.clock = clock or Clock(device)
        self._bits = np.random.Philox(key=np.array(self.key, np.uint64))
        self._generator = np.random.Generator(self._bits)

    def uniform(self, out: Any) -> None:
        """Fill the float32 array ``out`` (contiguous) with numbers of [0, 1) for this iteration."""
        if self.device.is_cpu:
            self.host().random(dtype=np.float32, out=out)
            return
        # only with a GPU, like all of kernels.cuda
        from protonet.kernels.cuda.launch import BLOCK, compiled

        blocks = -(-out.size // (8 * BLOCK))
        keys = (np.uint64(key) for key in self.key)
        source = compiled(self.device, "random_stream")
        source.blocks((blocks,), "uniform", out, np.uint64(out.size), *keys, self.clock.on_device)

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
