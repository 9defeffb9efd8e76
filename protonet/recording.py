"""Work of a GPU that is queued once, recorded, and launched again as a whole: CUDA graphs."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any

from protonet.device import Device

WARM_UP = 2
"""So often work is done as it is before it is recorded: what is compiled, looked up or allocated
when it is first needed is there then."""


class Recording:
    """What was recorded, with the memory that it took meanwhile, which must stay as long."""

    def __init__(self, graph: Any, pool: Any) -> None:
        self._graph, self._pool = graph, pool

    def launch(self) -> None:
        """Give all of it to the current stream."""
        self._graph.launch()


def record(device: Device, work: Callable[[], None]) -> Recording:
    """Record what ``work`` queues on the current stream; nothing of it is done yet.

    The stream is one of its own: the default stream cannot be recorded. Memory comes from a pool
    of its own, so that nobody else is given what the recording uses.

    Raises:
        RuntimeError: where work waits for the GPU, copies from the host, or does something else
            that cannot be repeated without Python.
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
    return Recording(graph, pool)


def _abandon(stream: Any) -> None:
    """End a recording that went wrong; that it did is known already."""
    try:
        stream.end_capture()
    except RuntimeError:
        return


class Repeated:
    """Work that is done as it is a few times, then recorded, and launched from then on.

    Where it cannot be recorded it goes on as it is; ``refusal`` then says why.

    Args:
        device: a GPU.
        work: queues the same each time, on arrays that stay where they are.
        key: tells where the arrays are: when it is another than last time, all begins anew.
    """

    def __init__(
        self,
        device: Device,
        work: Callable[[], None],
        key: Callable[[], Hashable] = lambda: None,
    ) -> None:
        self._device, self._work, self._key = device, work, key
        self.refusal = ""
        self.forget()

    def forget(self) -> None:
        """Begin anew."""
        self._recording: Recording | None = None
        self._done = 0
        self._of = self._key()

    def __call__(self) -> None:
        """Do the work once."""
        if self._key() != self._of:
            self.forget()
        if self._recording is None and self._done >= WARM_UP and not self.refusal:
            try:
                self._recording = record(self._device, self._work)
            except RuntimeError as error:  # CuPy's errors are such
                self.refusal = str(error) or type(error).__name__
        if self._recording is not None:
            self._recording.launch()
        else:
            self._work()
            self._done += 1
