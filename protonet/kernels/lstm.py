"""One step of an LSTM: gates i, f, o, g contiguous on the last axis (Hochreiter and
Schmidhuber, Neural Computation 1997; with forget gates).
"""

from __future__ import annotations

from typing import Any

from protonet.blob import Array
from protonet.device import Device
from protonet.kernels.elementwise import sigmoid
from protonet.kernels.kernel import Kernel


class LSTMStep(Kernel):
    """C = cont f c_before + i g, h = o tanh(c), for n = ``streams`` streams of d = ``outputs``."""

    def __init__(self, device: Device, dtype: Any, streams: int, outputs: int) -> None:
        super().__init__(device, dtype)
        self._shape = (streams, outputs)
        self._part: Array | None = None

    def forward(
        self, cont: Array, c_before: Array, acts: Array, c: Array, tanh_c: Array, h: Array
    ) -> None:
        """Write ``c``, ``tanh_c`` and ``h`` (n, d).

        ``acts`` (n, 4 d) comes in as the sums of the gates and goes out as their values, i, f, o =
        sigmoid and g = tanh of the sums, with f times ``cont`` (n, 1).
        """
        xp, d = self.xp, self._shape[1]
        i, f, o, g = (acts[:, k * d : (k + 1) * d] for k in range(4))
        sigmoid(xp, acts[:, : 3 * d], acts[:, : 3 * d])
        xp.tanh(g, out=g)
        xp.multiply(f, cont, out=f)
        xp.multiply(f, c_before, out=c)
        xp.multiply(i, g, out=tanh_c)
        xp.add(c, tanh_c, out=c)
        xp.tanh(c, out=tanh_c)
        xp.multiply(o, tanh_c, out=h)

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
        """Write the gradients for the sums of the gates, ``dacts``, and for ``c_before``.

        ``dc`` may be overwritten, and may be ``dc_before``.
        """
        xp, d = self.xp, self._shape[1]
        if self._part is None:
            self._part = self.scratch(self._shape)
        part = self._part
        i, f, o, g = (acts[:, k * d : (k + 1) * d] for k in range(4))
        di, df, do, dg = (dacts[:, k * d : (k + 1) * d] for k in range(4))
        xp.multiply(tanh_c, tanh_c, out=part)
        xp.subtract(1.0, part, out=part)
        xp.multiply(part, o, out=part)
        xp.multiply(part, dh, out=part)
        xp.add(dc, part, out=dc)
        xp.multiply(dh, tanh_c, out=do)
        xp.multiply(dc, g, out=di)
        xp.multiply(dc, c_before, out=df)
        for value, gradient in ((i, di), (f, df), (o, do)):
            xp.multiply(gradient, value, out=gradient)
            xp.subtract(1.0, value, out=part)
            xp.multiply(gradient, part, out=gradient)
        xp.multiply(g, g, out=part)
        xp.subtract(1.0, part, out=part)
        xp.multiply(part, i, out=part)
        xp.multiply(dc, part, out=dg)
        xp.multiply(dc, f, out=dc_before)
