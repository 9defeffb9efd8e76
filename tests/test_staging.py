"""Batches on their way: what waits for what."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np

from protonet.device import Device
from protonet.staging import Staging


class LazyStream:
    """A stream whose copies are done when somebody waits for them, as late as may be."""

    def __init__(self) -> None:
        self.queue: list[tuple[np.ndarray, np.ndarray]] = []
        self.waited: list[LazyEvent] = []

    def wait_event(self, event: LazyEvent) -> None:
        self.waited.append(event)
        event.synchronize()

    def drain(self) -> None:
        for host, out in self.queue:
            out.view(np.ndarray)[...] = host
        self.queue.clear()


class LazyEvent:
    """Comes when the stream has done what it was given before."""

    def __init__(self, main: LazyStream) -> None:
        self._main = main

    def record(self, stream: LazyStream | None = None) -> None:
        self._stream = stream or self._main

    def synchronize(self) -> None:
        self._stream.drain()


class LazyArray(np.ndarray):
    """An array that is set through a stream."""

    def set(self, host: np.ndarray, stream: LazyStream) -> None:
        stream.queue.append((host, self))


class LazyGpu(Device):
    """A processor with such streams."""

    def __init__(self) -> None:
        super().__init__("cpu")
        self.is_cpu, self.main, self.streams = False, LazyStream(), []
        self.xp = SimpleNamespace(cuda=self, copyto=np.copyto)

    def empty(self, shape: tuple[int, ...], dtype: Any = np.float32) -> Any:
        return np.full(shape, np.nan, dtype).view(LazyArray)

    def pinned(self, shape: tuple[int, ...], dtype: Any = np.float32) -> np.ndarray:
        return np.empty(shape, dtype)

    def Stream(self, non_blocking: bool) -> LazyStream:
        assert non_blocking
        self.streams.append(LazyStream())
        return self.streams[-1]

    def Event(self, block: bool = False, disable_timing: bool = False) -> LazyEvent:
        return LazyEvent(self.main)

    def get_current_stream(self) -> LazyStream:
        return self.main


def test_the_streams_wait_for_each_other() -> None:
    device = LazyGpu()
    tops = [device.empty((3,)), device.empty((2,))]
    staging = Staging(device, [((3,), np.float32), ((2,), np.float32)])
    (stream,) = device.streams
    mark = staging.send([np.arange(3.0), np.arange(2.0)])
    assert len(stream.queue) == 2
    assert len(stream.waited) == 1  # until the batch before was taken
    staging.take(tops)
    assert device.main.waited == [mark]
    assert [top.tolist() for top in tops] == [[0, 1, 2], [0, 1]]
    staging.send([np.ones(3), np.ones(2)])
    assert [top.tolist() for top in tops] == [[0, 1, 2], [0, 1]]
    staging.take(tops)
    assert [top.tolist() for top in tops] == [[1, 1, 1], [1, 1]]


def test_a_label_that_is_not_there_is_no_array() -> None:
    device = LazyGpu()
    tops = [device.empty((3,))]
    staging = Staging(device, [((3,), np.float32)])
    staging.send([np.arange(3.0), None])
    staging.take(tops)
    assert tops[0].tolist() == [0, 1, 2]


def test_a_smaller_batch_fills_the_beginning() -> None:
    device = LazyGpu()
    staging = Staging(device, [((3, 2), np.float32), ((3,), np.float32)])
    for count in (3, 2, 3):
        tops = [device.empty((count, 2)), device.empty((count,))]
        staging.send([np.full((count, 2), 4.0 + count), np.arange(float(count))])
        staging.take(tops)
        np.testing.assert_array_equal(tops[0], np.full((count, 2), 4 + count))
        np.testing.assert_array_equal(tops[1], np.arange(count))
