"""Windows by the formulas, and passes of modules, for the tests of modules with windows."""

from __future__ import annotations

from itertools import product

import numpy as np

from protonet.torch7.api import TorchModule
from protonet.torch7.objects import TorchObject

RANDOM = np.random.default_rng(11)


def random(*shape: int) -> np.ndarray:
    return RANDOM.standard_normal(shape).astype(np.float32)


def forward(made: TorchObject, *inputs: np.ndarray, phase: str = "training") -> np.ndarray:
    """The output of a module."""
    y: np.ndarray = TorchModule(made, [x.shape for x in inputs], phase).forward(*inputs)
    return y


def convolve(
    x: np.ndarray,
    w: np.ndarray,
    b: np.ndarray,
    stride: tuple[int, ...],
    pad: tuple[int, ...] | None = None,
    dilation: tuple[int, ...] | None = None,
) -> np.ndarray:
    """Batch x planes x axes with weights outputs x planes x kernel."""
    axes = len(stride)
    pad, dilation = pad or (0,) * axes, dilation or (1,) * axes
    x = np.pad(x.astype(np.float64), [(0, 0), (0, 0), *((p, p) for p in pad)])
    reach = [d * (k - 1) + 1 for k, d in zip(w.shape[2:], dilation, strict=True)]
    outs = [(i - r) // s + 1 for i, r, s in zip(x.shape[2:], reach, stride, strict=True)]
    y = np.empty((len(x), len(w), *outs))
    for place in product(*map(range, outs)):
        window = tuple(
            slice(o * s, o * s + r, d)
            for o, s, r, d in zip(place, stride, reach, dilation, strict=True)
        )
        part = x[(slice(None), slice(None), *window)].reshape(len(x), -1)
        y[(slice(None), slice(None), *place)] = part @ w.reshape(len(w), -1).T + b
    return y
