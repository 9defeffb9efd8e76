"""MemoryData: batches of the caller's arrays, their order, resuming, and what is refused."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from protonet.device import Device
from protonet.errors import LayerError, NetworkError
from protonet.graph.net import Net
from protonet.graph.planning import plan_net
from protonet.layers.memory_data import MemoryData
from protonet.proto.caffe_pb2 import TEST, TRAIN
from protonet.proto.text import Source, read_net

TEXT = """layer { name: "in" type: "MemoryData" top: "data" top: "label"
  memory_data_param { batch_size: 2 channels: 3 height: 4 width: 5 } }"""
DATA = np.random.default_rng(0).standard_normal((6, 3, 4, 5)).astype(np.float32)
LABELS = np.arange(6, dtype=np.float32)


def make(text: str = TEXT, device: str = "cpu") -> tuple[Net, MemoryData]:
    net = Net(plan_net(read_net(Source("net", text)), phase=TEST), Device(device))
    layer = net.layers[0]
    assert isinstance(layer, MemoryData)
    return net, layer


def step(net: Net) -> tuple[np.ndarray, np.ndarray]:
    net.forward()
    get = net.device.get
    return get(net.blobs["data"].data).copy(), get(net.blobs["label"].data).copy()


def test_batches_come_in_order_and_wrap() -> None:
    net, layer = make()
    layer.set_arrays(DATA, LABELS)
    for start in (0, 2, 4, 0, 2):
        data, labels = step(net)
        np.testing.assert_array_equal(data, DATA[start : start + 2])
        np.testing.assert_array_equal(labels, LABELS[start : start + 2])


def test_new_arrays_begin_at_their_start() -> None:
    net, layer = make()
    layer.set_arrays(DATA, LABELS)
    step(net)
    layer.set_arrays(DATA[2:], LABELS[2:])
    np.testing.assert_array_equal(step(net)[1], [2, 3])


@pytest.mark.parametrize("shape", [(4, 1), (4, 1, 1, 1)])
def test_labels_of_caffe_s_shapes_and_other_types(shape: tuple[int, ...]) -> None:
    net, layer = make()
    layer.set_arrays(DATA[:4].astype(np.float64), np.arange(4).reshape(shape))
    step(net)
    data, labels = step(net)
    np.testing.assert_array_equal(data, DATA[2:4])
    np.testing.assert_array_equal(labels, [2, 3])


def test_float32_is_not_copied() -> None:
    net, layer = make()
    mine = DATA.copy()
    layer.set_arrays(mine, LABELS)
    mine[0] = 7
    assert (step(net)[0][0] == 7).all()


def test_a_restored_net_goes_on_with_the_item_that_was_due() -> None:
    (net, layer), (again, layer_again) = make(), make()
    layer.set_arrays(DATA, LABELS)
    layer_again.set_arrays(DATA, LABELS)
    for _ in range(4):
        step(net)
    again.restore(net.state())
    np.testing.assert_array_equal(step(again)[1], step(net)[1])


def test_a_place_of_another_batch_size_is_moved_to_a_whole_batch() -> None:
    net, layer = make()
    layer.set_arrays(DATA, LABELS)
    layer.restore({"position": 5})
    np.testing.assert_array_equal(step(net)[1], [4, 5])


def test_without_arrays() -> None:
    net, _ = make()
    message = 'layer "in" (MemoryData): has no arrays yet; call set_arrays'
    with pytest.raises(LayerError, match=re.escape(message)):
        net.forward()


@pytest.mark.parametrize(
    ("data", "labels", "message"),
    [
        (DATA[:5], LABELS[:5], "expected a multiple of batch_size 2 items, got 5"),
        (DATA[:0], LABELS[:0], "expected a multiple of batch_size 2 items, got 0"),
        (DATA[:, :2], LABELS, "expected data of shape n x 3 x 4 x 5, got 6x2x4x5"),
        (DATA[0], LABELS, "expected data of shape n x 3 x 4 x 5, got 3x4x5"),
        (DATA, LABELS[:4], "expected one label for each of 6 item(s), got labels of shape 4"),
        (DATA, np.ones((2, 3)), "expected one label for each of 6 item(s), got labels of shape 2x"),
        (DATA, np.array("x"), "expected numbers as labels, got <U1"),
        (np.array(["x"]), LABELS, "expected numbers as data, got <U1"),
    ],
)
def test_arrays_that_do_not_fit(data: np.ndarray, labels: np.ndarray, message: str) -> None:
    net, layer = make()
    layer.set_arrays(DATA, LABELS)
    step(net)
    with pytest.raises(LayerError, match=re.escape(f'layer "in" (MemoryData): {message}')):
        layer.set_arrays(data, labels)
    # What was there before goes on.
    np.testing.assert_array_equal(step(net)[1], [2, 3])


@pytest.mark.parametrize("field", ["batch_size", "channels", "height", "width"])
@pytest.mark.parametrize("value", [None, 0])
def test_every_extent_is_required(field: str, value: int | None) -> None:
    text = re.sub(rf"{field}: \d", "" if value is None else f"{field}: 0", TEXT)
    with pytest.raises(NetworkError, match=f"memory_data_param needs a {field} of 1 or more"):
        make(text)


def test_a_transformation_does_nothing_and_that_is_told() -> None:
    """As in Caffe, whose MemoryData warns when arrays are given."""
    net, layer = make(TEXT.rstrip("}") + "transform_param { scale: 2 } }")
    with pytest.warns(UserWarning, match='layer "in" .MemoryData.: its transform_param does noth'):
        layer.set_arrays(DATA, LABELS)
    np.testing.assert_array_equal(step(net)[0], DATA[:2])


def test_two_tops_are_required() -> None:
    with pytest.raises(NetworkError, match=r"expected 2 top blob\(s\), got 1"):
        make(TEXT.replace(' top: "label"', ""))


def test_the_example_of_the_page_runs_once_it_has_arrays() -> None:
    page = (Path(__file__).parents[2] / "layers" / "MemoryData.md").read_text()
    ((reason, example),) = re.findall(r"```prototxt no-run: ([^\n]*)\n(.*?)```", page, re.DOTALL)
    assert "arrays of a program" in reason
    net = Net(plan_net(read_net(Source("MemoryData.md", example)), phase=TRAIN), Device())
    net.layers[0].set_arrays(np.ones((20, 3, 4, 5)), np.arange(20) % 2)
    net.forward()
    net.backward()
    assert net.loss() > 0


@pytest.mark.gpu
def test_a_gpu_gets_the_same() -> None:
    net, layer = make(device="cuda:0")
    layer.set_arrays(DATA, LABELS)
    for start in (0, 2, 4, 0):
        data, labels = step(net)
        np.testing.assert_array_equal(data, DATA[start : start + 2])
        np.testing.assert_array_equal(labels, LABELS[start : start + 2])
