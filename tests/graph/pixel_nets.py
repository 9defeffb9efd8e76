"""Nets over pixels, and which of their layers are computed at once."""

from __future__ import annotations

from typing import Any

import pytest

from protonet.device import Device
from protonet.graph.net import Net
from protonet.graph.plan import Plan
from protonet.kernels import native
from protonet.proto.caffe_pb2 import TEST
from tests.graph.nets import plan_of


@pytest.fixture(autouse=True)
def two_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """On so many, what is computed at once is the same on every machine."""
    if not native.has("avx2"):
        pytest.skip("this processor has no avx2")
    monkeypatch.setattr(native, "threads", lambda: 2)


def net_of(text: str, **more: Any) -> Net:
    """For inference."""
    return answering(plan_of(text, phase=TEST), **more)


def answering(plan: Plan, **more: Any) -> Net:
    """Of a plan for inference."""
    return Net(plan, Device(), seed=3, gradients=False, packed=True, keep_weights=True, **more)


def chains(net: Net) -> list[tuple[str, ...]]:
    """The names of layers that are computed at once."""
    found = net.layout.types.chains.values()
    return [tuple(net.plan.steps[index].name for index in chain) for chain in found]
