"""CUDA graphs: GPU work that is captured once and launched again as a whole."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any

from protonet.device import Device

WARM_UP = 2
"""Eager runs before the capture: compilation, plans and lazy allocations happen in these."""


class CudaGraph:
    """A captured graph, with the memory pool that it allocated from: both live equally long."""

    def __init__(self, graph: Any, pool: Any) -> None:
        self._graph, self._pool = graph, pool

    def launch(self) -> None:
        """Launch the graph on the current stream."""
        self._graph.launch()


def capture(device: Device, work: Callable[[], None]) -> CudaGraph:
    """Capture what ``work`` queues on the current stream; the work is not executed.

    Captures on a stream of its own, since the default stream cannot capture, and allocates from a
    private pool, so that no other code reuses the memory of the graph.

    Raises:
        RuntimeError: where work synchronizes, copies from the host, or does something else that
            cannot be captured.
    """
    cuda = device.xp.cuda
    device.synchronize()
    stream, pool = cuda.Stream(non_blocking=True), cuda.MemoryPool()
    with stream, cuda.using_allocator(pool.malloc):
        stream.begin_capture()
        try:
            work()
        except BaseException:
            _abandon(stream)
            raise
        graph = stream.end_capture()
    return CudaGraph(graph, pool)


def _abandon(stream: Any) -> None:
    """End a failed capture; its error is already being raised."""
    try:
        stream.end_capture()
    except RuntimeError:
        return


class GraphedCallable:
    """Work that runs eagerly a few times, then is captured and launched as a CUDA graph.

    Where the capture fails it stays eager, and ``capture_error`` says why.

    Args:
        device: a GPU.
        work: queues the same each time, on arrays that do not move.
        key: identifies the arrays: when it changes, the graph is captured again.
        variant: identifies one of a few alternatives of the work; each has a graph of its own.
        any_failed: whether the capture has failed here, or on another process that captures the
            same: work in which they meet must be captured by all or none.
    """

    def __init__(
        self,
        device: Device,
        work: Callable[[], None],
        key: Callable[[], Hashable] = lambda: None,
        variant: Callable[[], Hashable] = lambda: None,
        any_failed: Callable[[bool], bool] = bool,
    ) -> None:
        self._device, self._work, self._key, self._variant = device, work, key, variant
        self._any_failed = any_failed
        self.capture_error = ""
        self.reset()

    def reset(self) -> None:
        """Drop the graphs; warm up and capture again."""
        self._graphs: dict[Hashable, CudaGraph] = {}
        self._warm_ups: dict[Hashable, int] = {}
        self._captured_key = self._key()

    def __call__(self) -> None:
        """Run the work once."""
        if self._key() != self._captured_key:
            self.reset()
        variant = self._variant()
        graph, warm_ups = self._graphs.get(variant), self._warm_ups.get(variant, 0)
        if graph is None and warm_ups >= WARM_UP and not self.capture_error:
            graph = self._capture(variant)
        if graph is not None:
            graph.launch()
        else:
            self._work()
            self._warm_ups[variant] = warm_ups + 1

    def _capture(self, variant: Hashable) -> CudaGraph | None:
        """Capture the work; None where that fails, here or elsewhere."""
        graph = None
        try:
            graph = capture(self._device, self._work)
        except RuntimeError as error:  # CuPy's errors derive from it
            self.capture_error = str(error) or type(error).__name__
        if self._any_failed(graph is None):
            self.capture_error = self.capture_error or "another rank could not capture it"
            return None
        assert graph is not None
        self._graphs[variant] = graph
        return graph
