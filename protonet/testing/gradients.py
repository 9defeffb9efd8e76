"""Gradients against finite differences."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from protonet.blob import Shape
from protonet.layers.base import Reads
from protonet.proto.caffe_pb2 import TRAIN, LayerParameter
from protonet.testing.harness import LayerHarness

_STEP = 1e-5
"""The step of the central differences: rounding and curvature cost about 1e-10 each."""

_TOLERANCE = 1e-6
"""The greatest difference of a derivative, relative to the size of the gradient."""

_CLEARANCE = 0.05
"""The distance that inputs keep from kinks."""


def check_gradients(
    layer: str | LayerParameter,
    bottoms: Sequence[Shape | np.ndarray],
    *,
    phase: int = TRAIN,
    kinks: Sequence[float] = (),
    seed: int = 0,
    in_place: bool = False,
) -> None:
    """Compare ``backward`` with central differences of ``forward``, in float64.

    For every bottom with a gradient and every parameter, the derivative in a random direction
    must agree to 1e-6. What the layer says its backward pass does not read (``backward_reads``)
    is NaN by then, and parameter gradients must be added to what was there.

    Args:
        layer: as for ``LayerHarness``.
        bottoms: values, or shapes to fill with numbers of N(0, 1).
        phase: TRAIN or TEST; a random layer draws the same numbers in every evaluation.
        kinks: places where the function has no derivative; the values of shapes stay clear.
        seed: decides all random numbers.
        in_place: run with the first top in the place of the first bottom.
    """
    generator = np.random.default_rng(seed)
    values = [
        bottom if isinstance(bottom, np.ndarray) else clear_of(kinks, bottom, generator)
        for bottom in bottoms
    ]
    harness = LayerHarness(layer, values, phase=phase, dtype=np.float64, in_place=in_place)
    _compare_slopes(harness, generator)


def _compare_slopes(harness: LayerHarness, generator: np.random.Generator) -> None:
    """Run both passes, and compare the gradient of every bottom and parameter."""
    harness.set_params([generator.standard_normal(p.shape) for p in harness.layer.params])
    harness.forward()
    dtops = harness.objective_weights(generator)
    before = [generator.standard_normal(param.shape) for param in harness.layer.params]
    for diff, host in zip(harness.param_diffs, before, strict=True):
        diff[...] = host
    _poison(harness)
    dbottoms = harness.backward(dtops)

    def objective() -> float:
        return sum(
            float((top * dtop).sum()) for top, dtop in zip(harness.forward(), dtops, strict=True)
        )

    for place, dx in enumerate(dbottoms):
        if dx is not None:
            name = f"bottom {place}"
            _compare_slope(objective, harness.inputs[place], dx, name, generator)
    for place, param in enumerate(harness.layer.params):
        added = harness.param_diffs[place] - before[place]
        _compare_slope(objective, param.data, added, f"parameter {place}", generator)


def clear_of(kinks: Sequence[float], shape: Shape, generator: np.random.Generator) -> np.ndarray:
    """Values of N(0, 1) that stay away from the kinks."""
    values = generator.standard_normal(shape)
    for kink in kinks:
        near = np.abs(values - kink) < _CLEARANCE
        values[near] = kink + np.where(values[near] < kink, -_CLEARANCE, _CLEARANCE)
    return values


def _poison(harness: LayerHarness) -> None:
    """Overwrite what the backward pass does not read with NaN."""
    reads = harness.layer.traits.backward_reads
    kept = [a for a in harness.bottoms if Reads.BOTTOMS in reads]
    kept += [a for a in harness.tops if Reads.TOPS in reads]
    for array in (*harness.bottoms, *harness.tops):
        if not any(array is other for other in kept):
            array.fill(np.nan)


def _compare_slope(
    objective: Callable[[], float],
    at: np.ndarray,
    gradient: np.ndarray,
    name: str,
    generator: np.random.Generator,
) -> None:
    """Compare the slope of ``objective`` in a random direction around ``at``, moved in place."""
    start, direction = at.copy(), generator.standard_normal(at.shape)
    sides = []
    for step in (_STEP, -_STEP):
        at[...] = start + step * direction
        sides.append(objective())
    at[...] = start
    expected = (sides[0] - sides[1]) / (2 * _STEP)
    found = float((gradient * direction).sum())
    size = max(abs(expected), float(np.linalg.norm(gradient)))
    if not abs(found - expected) <= _TOLERANCE * size:
        raise AssertionError(
            f"gradient of {name}: the slope is {expected:.9g} by differences, {found:.9g} by "
            "backward" + (" (not all of it is written)" if np.isnan(gradient).any() else "")
        )
