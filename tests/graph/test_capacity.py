"""A net that no memory could hold is refused before anything is allocated, at its largest layer."""

from __future__ import annotations

import time
import tracemalloc
from pathlib import Path

import pytest

from protonet import pycaffe
from protonet.device import Device
from protonet.errors import DeviceError
from protonet.graph.capacity import check_capacity, largest_layer
from protonet.graph.net import Net
from protonet.proto.caffe_pb2 import TEST, TRAIN
from tests.graph.nets import plan_of

TEXT = """\
layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 2 dim: 3 } } }
layer { name: "act" type: "ReLU" bottom: "x" top: "x" }
layer { name: "wide" type: "InnerProduct" bottom: "x" top: "y" inner_product_param { num_output: 100
    weight_filler { type: "xavier" } } }
layer { name: "out" type: "InnerProduct" bottom: "y" top: "z" inner_product_param { num_output: 5
  } }
layer { name: "loss" type: "Reduction" bottom: "z" top: "loss" loss_weight: 1 }
"""
# numbers: x 6, wide 200 + 400 of parameters, out 10 + 505, loss 1
ALL, LARGEST, PARAMETERS = 4 * (6 + 200 + 10 + 1), 4 * 200, 4 * 905


def needs(*, gradients: bool, packed: bool, phase: int = TEST) -> int:
    """The least limit that is enough."""
    plan = plan_of(TEXT, phase)
    for limit in range(0, 20000, 4):
        try:
            check_capacity(plan, Device(), gradients=gradients, packed=packed, limit=limit)
        except DeviceError:
            continue
        return limit
    raise AssertionError("no limit is enough")


def test_the_least_that_a_net_needs() -> None:
    assert needs(gradients=False, packed=False) == ALL + PARAMETERS
    assert needs(gradients=False, packed=True) == LARGEST + PARAMETERS
    assert needs(gradients=True, packed=True, phase=TRAIN) == LARGEST + 2 * PARAMETERS


def test_the_largest_layer_is_named_with_its_line() -> None:
    plan = plan_of(TEXT, TEST)
    with pytest.raises(DeviceError) as caught:
        check_capacity(plan, Device(), gradients=False, packed=True, limit=10)
    message = str(caught.value)
    assert message.startswith('net.prototxt:3:1: layer "wide" (InnerProduct) needs 800 bytes for ')
    assert "1.6 KiB for its parameters, the net at least 4.3 KiB: more than the 10 bytes" in message
    assert largest_layer(plan) == 'layer "wide" (InnerProduct) alone 2.3 KiB'


HUGE = """\
layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 16 dim: 2 } } }
"""


def huge_text() -> str:
    """Layers of 8 GiB each, until the machine cannot hold them."""
    count = Device().most_memory() // (4 * 2**31) + 1
    return HUGE + "".join(
        f'layer {{ name: "ip{i}" type: "InnerProduct" bottom: "x" top: "y{i}"\n'
        f"  inner_product_param {{ num_output: {2**27 - 1} }} }}\n"
        for i in range(count)
    )


def test_a_net_beyond_the_machine_is_refused_before_it_takes_memory(tmp_path: Path) -> None:
    text = huge_text()
    path = tmp_path / "net.prototxt"
    path.write_text(text)
    tracemalloc.start()
    start = time.process_time()
    with pytest.raises(DeviceError, match=r'layer "ip0" \(InnerProduct\) needs 8.0 GiB') as caught:
        pycaffe.Net(str(path), TEST)
    assert f"{path}:2:1: " in str(caught.value)
    with pytest.raises(DeviceError, match="that device 'cpu' has"):
        Net(plan_of(text, TRAIN), Device())
    assert time.process_time() - start < 1
    assert tracemalloc.get_traced_memory()[1] < 100 * 2**20
    tracemalloc.stop()


def test_a_net_is_not_reshaped_beyond_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Device, "most_memory", lambda _: 1_000_000)
    net = Net(plan_of(TEXT, TEST), Device())
    net.reshape({"x": (2000, 3)})
    with pytest.raises(DeviceError, match=r'layer "wide" \(InnerProduct\) needs'):
        net.reshape({"x": (3000, 3)})
    assert net.blobs["x"].shape == (2000, 3)
    net.forward()
