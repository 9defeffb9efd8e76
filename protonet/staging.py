"""Staging buffers: batches are copied to a GPU while it computes on the previous one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from protonet.device import Device


class Staging:
    """A buffer for one batch in GPU memory, filled on a stream of its own.

    Alternately, ``send`` queues the copy of the next batch from pinned memory, and ``take`` queues
    the copy to the tops on the current stream. Neither blocks: the streams wait for each other.

    Args:
        device: a GPU.
        arrays: shape and type of each array of the largest batch.
    """

    def __init__(self, device: Device, arrays: Sequence[tuple[tuple[int, ...], Any]]) -> None:
        cuda = device.xp.cuda
        self._device = device
        self._arrays = [device.empty(*each) for each in arrays]
        self._stream = cuda.Stream(non_blocking=True)
        self._free = cuda.Event(disable_timing=True)
        self._free.record()

    def send(self, batch: Sequence[np.ndarray]) -> Any:
        """Queue the copy of a batch, which may be smaller than the buffer; returns an event whose
        ``synchronize()`` waits for it.

        Until then, the batch must not be written to.
        """
        self._stream.wait_event(self._free)
        for host, array in zip(batch, self._arrays, strict=False):
            array[: len(host)].set(host, stream=self._stream)
        self._sent = self._device.xp.cuda.Event(block=True, disable_timing=True)
        self._sent.record(self._stream)
        return self._sent

    def take(self, tops: Sequence[Any]) -> None:
        """Queue the copy of the last batch sent into ``tops``."""
        self._device.xp.cuda.get_current_stream().wait_event(self._sent)
        for array, top in zip(self._arrays, tops, strict=True):
            self._device.xp.copyto(top, array[: len(top)])
        self._free.record()
