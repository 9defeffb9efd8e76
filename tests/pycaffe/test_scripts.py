"""What scripts for Caffe's module do with nets of generated data, and with their solvers.

The behaviours are those that python/caffe/test of BVLC/caffe holds its module to.
"""

from __future__ import annotations

import gc
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import protonet.pycaffe as caffe

Make = Callable[..., caffe.Net]

NET = """
name: "generated"
force_backward: true
layer { name: "data" type: "DummyData" top: "data" top: "label" dummy_data_param {
  shape { dim: 5 dim: 2 dim: 3 dim: 4 } shape { dim: 5 }
  data_filler { type: "gaussian" std: 1 } data_filler { type: "constant" } } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv"
  param { decay_mult: 1 } param { decay_mult: 0 }
  convolution_param { num_output: 7 kernel_size: 2 pad: 1
    weight_filler { type: "gaussian" std: 1 } bias_filler { type: "constant" value: 2 } } }
layer { name: "fc" type: "InnerProduct" bottom: "conv" top: "scores"
  inner_product_param { num_output: 6 weight_filler { type: "gaussian" std: 0.5 }
    bias_filler { type: "constant" value: -1 } } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "scores" bottom: "label" top: "loss" }
"""


def test_names(net_of: Make) -> None:
    net = net_of(NET, caffe.TRAIN)
    assert (net.inputs, net.outputs) == ([], ["loss"])
    assert net.top_names == OrderedDict(
        data=["data", "label"], conv=["conv"], fc=["scores"], loss=["loss"]
    )
    assert net.bottom_names == OrderedDict(
        data=[], conv=["data"], fc=["conv"], loss=["scores", "label"]
    )
    for name, layer in net.layer_dict.items():
        assert layer.type == net.layers[list(net._layer_names).index(name)].type
    assert [blob.data.shape for blob in net.params["fc"]] == [(6, 7 * 4 * 5), (6,)]


def test_one_layer_alone_there_and_back(net_of: Make) -> None:
    net = net_of(NET, caffe.TRAIN)
    net.forward()
    random = np.random.default_rng(0)
    x = random.standard_normal(net.blobs["conv"].data.shape).astype(np.float32)
    dy = random.standard_normal(net.blobs["scores"].data.shape).astype(np.float32)
    w, b = (blob.data.copy() for blob in net.params["fc"])
    net.blobs["conv"].data[...] = x
    assert set(net.forward(start="fc", end="fc")) == {"scores"}
    y = x.reshape(5, -1) @ w.T + b
    np.testing.assert_allclose(net.blobs["scores"].data, y, rtol=1e-3, atol=1e-5)
    net.blobs["scores"].diff[...] = dy
    assert "conv" in net.backward(start="fc", end="fc")
    dx = (dy @ w).reshape(x.shape)
    np.testing.assert_allclose(net.blobs["conv"].diff, dx, rtol=1e-3, atol=1e-5)


def test_a_diff_in_hand_is_cleared_with_the_net_s(net_of: Make) -> None:
    net = net_of(NET, caffe.TRAIN)
    net.forward()
    net.backward()
    diff = net.params["conv"][0].diff
    assert diff.max() > 0
    net.clear_param_diffs()
    assert (diff == 0).all()


@pytest.mark.parametrize("name", ["w.caffemodel", "w.h5"])
def test_weights_by_each_constructor(net_of: Make, tmp_path: Path, name: str) -> None:
    net = net_of(NET, caffe.TRAIN)
    path = str(tmp_path / name)
    net.save(path)
    caffe.set_random_seed(9)
    try:
        loaded = net_of(NET, path, caffe.TRAIN), net_of(NET, caffe.TRAIN, weights=path)
        other = net_of(NET, caffe.TRAIN)
    finally:
        caffe.set_random_seed(0)
    assert (other.params["fc"][0].data != net.params["fc"][0].data).any()
    for again in loaded:
        for layer, blobs in net.params.items():
            for blob, copy in zip(blobs, again.params[layer], strict=True):
                np.testing.assert_array_equal(blob.data, copy.data)


def chosen(name: str, rules: str) -> str:
    """A layer on the data under rules of its own."""
    return (
        f'layer {{ name: "{name}" type: "InnerProduct" bottom: "data" top: "{name}" {rules} '
        "inner_product_param { num_output: 1 } }\n"
    )


ONLY_DATA = (
    'layer { name: "data" type: "DummyData" top: "data" '
    "dummy_data_param { shape { dim: 1 dim: 4 } } }\n"
)


@pytest.mark.parametrize(
    ("level", "names"),
    [(0, ["any", "zero", "from 0"]), (1, ["any", "one", "from 0", "from 1"])],
)
def test_levels(net_of: Make, level: int, names: list[str]) -> None:
    text = (
        ONLY_DATA
        + chosen("any", "")
        + chosen("zero", "include { min_level: 0 max_level: 0 }")
        + chosen("one", "include { min_level: 1 max_level: 1 }")
        + chosen("from 0", "include { min_level: 0 }")
        + chosen("from 1", "include { min_level: 1 }")
    )
    net = net_of(text, caffe.TEST, level=level)
    assert [name for name in net.blobs if "data" not in name] == names


@pytest.mark.parametrize(
    ("stages", "names"),
    [
        (["A"], ["A", "either"]),
        (["B"], ["B", "either"]),
        (["A", "B"], ["A", "B", "either", "both"]),
    ],
)
def test_stages(net_of: Make, stages: list[str], names: list[str]) -> None:
    text = (
        ONLY_DATA
        + chosen("A", 'include { stage: "A" }')
        + chosen("B", 'include { stage: "B" }')
        + chosen("either", 'include { stage: "A" } include { stage: "B" }')
        + chosen("both", 'include { stage: "A" stage: "B" }')
    )
    net = net_of(text, caffe.TEST, stages=stages)
    assert [name for name in net.blobs if "data" not in name] == names


ALL_IN_ONE = """
layer { name: "train" type: "DummyData" top: "data" top: "label"
  include { phase: TRAIN stage: "train" }
  dummy_data_param { shape { dim: 1 dim: 4 } shape { dim: 1 } } }
layer { name: "val" type: "DummyData" top: "data" top: "label"
  include { phase: TEST stage: "val" }
  dummy_data_param { shape { dim: 2 dim: 4 } shape { dim: 2 } } }
layer { name: "deploy" type: "Input" top: "data" include { phase: TEST stage: "deploy" }
  input_param { shape { dim: 3 dim: 4 } } }
layer { name: "fc" type: "InnerProduct" bottom: "data" top: "fc"
  inner_product_param { num_output: 2 } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "fc" bottom: "label" top: "loss"
  include: { phase: TRAIN stage: "train" } include: { phase: TEST stage: "val" } }
layer { name: "answer" type: "Softmax" bottom: "fc" top: "answer"
  include: { phase: TEST stage: "deploy" } }
"""


@pytest.mark.parametrize(
    ("phase", "stage", "batch", "output"),
    [
        (caffe.TRAIN, "train", 1, "loss"),
        (caffe.TEST, "val", 2, "loss"),
        (caffe.TEST, "deploy", 3, "answer"),
    ],
)
def test_three_nets_in_one_text(
    net_of: Make, phase: int, stage: str, batch: int, output: str
) -> None:
    net = net_of(ALL_IN_ONE, phase, stages=[stage])
    assert list(net.blobs["data"].shape) == [batch, 4]
    assert net.outputs == [output]


@pytest.fixture
def solver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> caffe.SGDSolver:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.prototxt").write_text(NET)
    (tmp_path / "solver.prototxt").write_text(
        'net: "net.prototxt" test_iter: 2 test_interval: 10 base_lr: 0.01 momentum: 0.9 '
        'weight_decay: 0.0005 lr_policy: "inv" gamma: 0.0001 power: 0.75 display: 100 '
        'max_iter: 20 snapshot_after_train: false snapshot_prefix: "model"'
    )
    return caffe.SGDSolver("solver.prototxt")


def test_solving_counts_its_iterations(solver: caffe.SGDSolver, tmp_path: Path) -> None:
    assert solver.iter == 0
    solver.solve()
    assert solver.iter == 20
    assert list(tmp_path.glob("model*")) == []


def test_an_update_by_hand(solver: caffe.SGDSolver) -> None:
    """The weights are 0, so the decay adds nothing: what is left is rate times gradient."""
    blob = solver.net.layers[1].blobs[0]
    data = blob.data
    data[...], blob.diff[...] = 0, 1
    solver.apply_update()
    np.testing.assert_allclose(data, -0.01, rtol=1e-6)


def test_nets_outlive_their_solver(solver: caffe.SGDSolver) -> None:
    solver.step(1)
    nets = [solver.net, *solver.test_nets]
    assert len(nets) == 2
    del solver
    gc.collect()
    for net in nets:
        net.forward()
        arrays = [blob for blobs in net.params.values() for blob in blobs] + [*net.blobs.values()]
        assert all(np.isfinite(blob.data).all() and blob.diff is not None for blob in arrays)


def test_a_snapshot_by_hand(solver: caffe.SGDSolver, tmp_path: Path) -> None:
    solver.snapshot()
    made = {path.name for path in tmp_path.glob("model*")}
    assert made >= {"model_iter_0.caffemodel", "model_iter_0.solverstate"}
