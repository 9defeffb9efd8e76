"""One step of an LSTM on a GPU."""

from __future__ import annotations

from typing import Any

from protonet.blob import Array
from protonet.device import Device
from protonet.kernels.cuda.launch import compiled, counted
from protonet.kernels.lstm import LSTMStep


class CudaLSTMStep(LSTMStep, processor="cuda"):
    """All gates in one pass, without scratch."""

    requires = (counted("gates", lambda streams, outputs: 4 * streams * outputs),)

    def __init__(self, device: Device, dtype: Any, streams: int, outputs: int) -> None:
        super().__init__(device, dtype, streams, outputs)
        self._source, self._count = compiled(device, "lstm", dtype), streams * outputs

    def forward(
        self, cont: Array, c_before: Array, acts: Array, c: Array, tanh_c: Array, h: Array
    ) -> None:
        arrays = (cont, c_before, acts, c, tanh_c, h)
        self._source.over(self._count, "forward", *arrays, *self._shape)

    def backward(
        self,
        c_before: Array,
        acts: Array,
        tanh_c: Array,
        dc: Array,
        dh: Array,
        dacts: Array,
        dc_before: Array,
    ) -> None:
        arrays = (c_before, acts, tanh_c, dc, dh, dacts, dc_before)
        self._source.over(self._count, "backward", *arrays, *self._shape)
