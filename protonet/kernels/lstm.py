"""One step of an LSTM: gates i, f, o, g side by side on the last axis (Hochreiter and
Schmidhuber, Neural Computation 1997; with forget gates).
"""

from __future__ import annotations

from typing import Any

from protonet.blob import Array
from protonet.kernels.elementwise import sigmoid


def lstm_step(
    xp: Any, cont: Array, c_before: Array, acts: Array, c: Array, tanh_c: Array, h: Array
) -> None:
    """C = cont f c_before + i g, h = o tanh(c), with i, f, o = sigmoid and g = tanh of ``acts``.

    ``acts`` (n, 4 d) comes in as the sums of the gates and goes out as their values, f times
    ``cont`` (n, 1) among them. ``c_before``, ``c``, ``tanh_c`` and ``h`` are (n, d).
    """
    d = c.shape[-1]
    i, f, o, g = (acts[:, k * d : (k + 1) * d] for k in range(4))
    sigmoid(xp, acts[:, : 3 * d], acts[:, : 3 * d])
    xp.tanh(g, out=g)
    xp.multiply(f, cont, out=f)
    xp.multiply(f, c_before, out=c)
    xp.multiply(i, g, out=tanh_c)
    xp.add(c, tanh_c, out=c)
    xp.tanh(c, out=tanh_c)
    xp.multiply(o, tanh_c, out=h)


def lstm_step_gradient(
    xp: Any,
    c_before: Array,
    acts: Array,
    tanh_c: Array,
    dc: Array,
    dh: Array,
    dacts: Array,
    dc_before: Array,
    part: Array,
) -> None:
    """Gradients of ``lstm_step`` for the sums of the gates (n, 4 d) and for ``c_before``.

    ``dc`` is overwritten, ``part`` (n, d) is scratch; ``dc_before`` may be ``dc``.
    """
    d = dc.shape[-1]
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
