"""Whole nets against what real Caffe computed: wiring, in-place memory and gradients included."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from protonet.device import Device
from protonet.graph.net import Net
from protonet.graph.planning import plan_net
from protonet.layers import layer_types
from protonet.proto.caffe_pb2 import TEST, TRAIN
from protonet.proto.text import Source, read_net

GOLDEN = Path(__file__).parents[1] / "golden"

# In Caffe, top and parameter share their gradient, which was zeroed after it was put in: zeros that
# no layer computed.
FORWARD_ONLY = {"Parameter/shape"}


def cases() -> list[str]:
    """The single-layer cases whose layers all exist."""
    found = []
    for path in sorted(GOLDEN.glob("*/*/data.npz")):
        source = path.with_name("net.prototxt")
        if path.parent.parent.name == "solvers":
            continue
        types = {layer.type for layer in read_net(Source.read(source)).net.layer}
        if types <= set(layer_types()):
            found.append(str(path.parent.relative_to(GOLDEN)))
    return found


def close(found: Any, expected: np.ndarray, what: str) -> None:
    scale = float(np.abs(expected).max()) if expected.size else 0.0
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6 * scale, err_msg=what)


@pytest.mark.parametrize("case", cases())
def test_nets_compute_what_caffe_computed(case: str) -> None:
    check(GOLDEN / case, gradients=case not in FORWARD_ONLY)


@pytest.mark.parametrize("fuse", [False, True], ids=["alone", "fused"])
@pytest.mark.parametrize("case", cases())
def test_packed_nets_compute_the_same(case: str, fuse: bool) -> None:
    """Outputs and the gradients of parameters; others are gone when the passes are over."""
    check(GOLDEN / case, packed=True, fuse=fuse, gradients=case not in FORWARD_ONLY)


def check(
    folder: Path, *, packed: bool = False, fuse: bool = False, gradients: bool = True
) -> None:
    """Every pass of a case, compared with what Caffe computed; ``gradients`` too."""
    data = np.load(folder / "data.npz")
    definition = read_net(Source.read(folder / "net.prototxt"))
    phase = TRAIN if str(data["phase"]) == "TRAIN" else TEST
    net = Net(
        plan_net(definition, phase=phase),
        Device("cpu"),
        gradients=True,
        fuse=fuse,
        packed=packed,
    )
    params = net.params.get("l", [])
    for i, param in enumerate(params):
        param.data[...] = data[f"param/{i}"]
    for step in range(int(data["steps"])):
        suffix = f"@{step}" if int(data["steps"]) > 1 else ""
        net.store.diff.fill(0)
        run(net, data, suffix, gradients=gradients, bottoms=not packed)
        if not gradients:
            continue
        for i, param in enumerate(params):
            if f"param_diff/{i}{suffix}" in data:
                close(param.diff, data[f"param_diff/{i}{suffix}"], f"param_diff/{i}")


def run(net: Net, data: Any, suffix: str, *, gradients: bool, bottoms: bool) -> None:
    """One pass forward and, for ``gradients``, backward, compared with the case; those of the
    bottoms too, where they are there afterwards.
    """

    def each(kind: str) -> list[tuple[str, np.ndarray]]:
        return [
            (key.removeprefix(kind).removesuffix(suffix), data[key])
            for key in data.files
            if key.startswith(kind) and key.endswith(suffix)
        ]

    for name, array in each("bottom/"):
        blob = net.blobs[f"in_{name}" if f"in_{name}" in net.blobs else name]
        blob.data[...] = array
    net.forward()
    for name, array in each("top/"):
        if name in net.blobs:
            close(net.blobs[name].data, array, f"top/{name}")
    if not gradients:
        return
    for name, array in each("top_diff/"):
        diff = net.blobs[name].diff if name in net.blobs else None
        if diff is not None:  # no gradient reaches a net without a loss and force_backward
            diff[...] = array
    net.backward()
    for name, array in each("bottom_diff/") if bottoms else ():
        diff = net.blobs[name].diff
        diff = np.zeros_like(array) if diff is None else diff
        close(diff, array, f"bottom_diff/{name}")
