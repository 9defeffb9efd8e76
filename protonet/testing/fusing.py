"""Compares fused layers with the same layers unfused."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from protonet.blob import Shape
from protonet.device import Device
from protonet.graph.fusion import fusions
from protonet.graph.net import Net
from protonet.graph.plan import Plan
from protonet.graph.planning import plan_net
from protonet.proto.caffe_pb2 import TEST, TRAIN, NetParameter
from protonet.proto.text import Source, read_net
from protonet.testing.checks import assert_close
from protonet.testing.harness import parse_layer


def check_fused(
    layers: Sequence[str], shape: Shape, *, phase: int = TEST, device: Device | None = None
) -> None:
    """Check that consecutive layers are fused into the first, with the same results.

    In phase TEST the last top is compared, in phase TRAIN also the gradients of the first bottom
    and of all parameters.

    Args:
        layers: of each its fields inside ``layer { }``, without name, bottom and top.
        shape: of the first bottom, which is filled with numbers of N(0, 1).
        phase: TRAIN or TEST; other layers are fused in each.
        device: where both run.

    Raises:
        AssertionError: where not all are fused, or numbers differ.
    """
    found = [
        _numbers(_planned(layers, shape, phase), device or Device(), fuse, phase == TRAIN)
        for fuse in (False, True)
    ]
    (_, alone), (fused, together) = found
    expected = [("l0", [f"l{place}" for place in range(1, len(layers))])]
    if fused != expected:
        raise AssertionError(f"expected {expected} to be fused, found {fused}")
    for place, (before, now) in enumerate(zip(alone, together, strict=True)):
        assert_close(now, before, f"array {place}, fused")


def _planned(layers: Sequence[str], shape: Shape, phase: int) -> Plan:
    """The plan of the layers on a bottom that is a parameter, so that it has a gradient, with a
    Reduction behind them in training.
    """
    net = NetParameter()
    first = net.layer.add(name="x", type="Parameter", top=["x"])
    first.parameter_param.shape.dim.extend(shape)
    for place, text in enumerate(layers):
        spec = net.layer.add()
        spec.CopyFrom(parse_layer(text, 1))
        spec.name = f"l{place}"
        del spec.bottom[:], spec.top[:]
        spec.bottom.append(f"y{place - 1}" if place else "x")
        spec.top.append(f"y{place}")
    if phase == TRAIN:
        last = net.layer.add(name="sum", type="Reduction", bottom=[spec.top[0]], top=["sum"])
        last.reduction_param.operation = last.reduction_param.SUMSQ
        last.loss_weight.append(1.0)
    return plan_net(read_net(Source("check_fused", str(net))), phase=phase)


def _numbers(
    plan: Plan, device: Device, fuse: bool, gradients: bool
) -> tuple[list[tuple[str, list[str]]], list[np.ndarray]]:
    """The fused layers of a net, and the results of its passes."""
    net = Net(plan, device, gradients=gradients, packed=True, fuse=fuse)
    generator = np.random.default_rng(7)
    params = [param for held in net.params.values() for param in held]
    for param in params:
        device.put(generator.standard_normal(param.shape).astype(param.data.dtype), param.data)
    net.forward()
    arrays = [np.array(device.get(net.blobs[value.name].data)) for value in plan.outputs]
    if gradients:
        net.backward()
        arrays += [np.array(device.get(param.diff)) for param in params]
    return fusions(net.plan), arrays
