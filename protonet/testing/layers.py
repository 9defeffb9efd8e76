"""The whole layer contract in one call."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from protonet.blob import Shape
from protonet.device import Device
from protonet.errors import DeviceError
from protonet.layers import layer_class
from protonet.layers.base import Owner, Reads
from protonet.proto.caffe_pb2 import TRAIN, LayerParameter
from protonet.testing.checks import check_devices
from protonet.testing.gradients import check_gradients, clear_of
from protonet.testing.harness import LayerHarness, parse_layer


def check_layer(
    layer: str | LayerParameter,
    bottoms: Sequence[Shape | np.ndarray],
    *,
    phase: int = TRAIN,
    kinks: Sequence[float] = (),
    seed: int = 0,
) -> None:
    """Check a layer against its contract.

    ``infer`` and ``declare`` change nothing of it, so that a plan can be built on twice (users'
    objects may: ``Owner``). Every top is written whole and the same each time; gradients agree
    with differences, also in place where the layer says that it can be; a GPU, where there is one,
    computes what the CPU does. Arguments are those of ``check_gradients``.

    Raises:
        AssertionError: saying what differs.
    """
    generator = np.random.default_rng(seed)
    values = [
        bottom if isinstance(bottom, np.ndarray) else clear_of(kinks, bottom, generator)
        for bottom in bottoms
    ]
    check_pure(layer, [value.shape for value in values], phase=phase)
    harness = LayerHarness(layer, values, phase=phase, seed=seed)
    _check_tops(harness)
    check_gradients(layer, values, phase=phase, seed=seed)
    if _may_be_in_place(harness):
        check_gradients(layer, values, phase=phase, seed=seed, in_place=True)
    try:
        device = Device("cuda:0")
    except DeviceError:
        return
    check_devices(layer, values, device, phase=phase, seed=seed)


def check_pure(layer: str | LayerParameter, shapes: Sequence[Shape], *, phase: int = TRAIN) -> None:
    """Check that ``infer`` and ``declare`` leave a layer as it was.

    Raises:
        AssertionError: naming the attributes that are others.
    """
    spec = parse_layer(layer, len(shapes)) if isinstance(layer, str) else layer
    described = layer_class(spec.type)(spec, phase)
    described.setup()
    if isinstance(described, Owner):
        return
    before = {name: (id(value), repr(value)) for name, value in vars(described).items()}
    described.infer(shapes)
    described.declare(shapes)
    after = {name: (id(value), repr(value)) for name, value in vars(described).items()}
    others = sorted(name for name in before | after if before.get(name) != after.get(name))
    if others:
        raise AssertionError(f"infer or declare changes {', '.join(others)} of the layer")


def _check_tops(harness: LayerHarness) -> None:
    first = harness.forward()
    for top in harness.tops:
        top.fill(float("nan"))
    for place, (before, now) in enumerate(zip(first, harness.forward(), strict=True)):
        name = f"top {place}"
        if np.isnan(now).any() and not np.isnan(before).any():
            raise AssertionError(f"{name} is not written whole")
        np.testing.assert_array_equal(now, before, f"{name} is another in a second pass")


def _may_be_in_place(harness: LayerHarness) -> bool:
    """Whether the first top can be the first bottom, with gradients."""
    layer = harness.layer
    return (
        layer.traits.in_place
        and Reads.BOTTOMS not in layer.traits.backward_reads
        and not layer.traits.view
        and harness.tops[0].shape == harness.bottoms[0].shape
    )
