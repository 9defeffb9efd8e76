"""One name is one blob, as Caffe has it: what scripts write and read between layers.

Each pattern is from a public script or report (BVLC/caffe issues 2725, 3414, 3508, 6414, pull
request 480), or from pycaffe's documentation.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from protonet import pycaffe as caffe
from tests.graph.test_golden import GOLDEN, cases, close

HEAD = """
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 2 dim: 3 } } }
layer { name: "scale" type: "Power" bottom: "data" top: "data" power_param { scale: 2 shift: 1 } }
layer { name: "sum" type: "Reduction" bottom: "data" top: "sum" reduction_param { axis: 1 } }
"""
DEEP = """
layer { name: "data" type: "Input" top: "data" input_param {
  shape { dim: 2 dim: 3 dim: 4 dim: 5 } } }
layer { name: "conv1" type: "Convolution" bottom: "data" top: "conv1" convolution_param {
  num_output: 4 kernel_size: 2 weight_filler { type: "gaussian" std: 1 } } }
layer { name: "bn" type: "BatchNorm" bottom: "conv1" top: "NAME1" }
layer { name: "sc" type: "Scale" bottom: "NAME1" top: "NAME2" scale_param { bias_term: true
  filler { type: "uniform" min: 0.5 max: 2 } } }
layer { name: "relu" type: "ReLU" bottom: "NAME2" top: "NAME3" }
layer { name: "ip" type: "InnerProduct" bottom: "NAME3" top: "ip" inner_product_param {
  num_output: 2 weight_filler { type: "gaussian" std: 1 } } }
"""

Make = Callable[..., caffe.Net]


@pytest.fixture
def net_of(tmp_path: Path) -> Make:
    def make(text: str, phase: int = caffe.TEST) -> caffe.Net:
        path = tmp_path / "net.prototxt"
        path.write_text(text)
        caffe.set_random_seed(3)
        return caffe.Net(str(path), phase)

    return make


@pytest.mark.parametrize("phase", [caffe.TRAIN, caffe.TEST])
def test_an_input_that_is_used_in_place_is_seen(net_of: Make, phase: int) -> None:
    net, x = net_of(HEAD, phase), np.array([[1, 2, 3], [0, 0, 3]])
    net.blobs["data"].data[...] = x
    net.forward()
    assert net.blobs["sum"].data.tolist() == [15, 9]
    assert net.blobs["data"].data.tolist() == (2 * x + 1).tolist(), "one array, overwritten"
    assert net.forward(data=x)["sum"].tolist() == [15, 9]
    assert net.forward_all(data=np.concatenate([x, x[:1]]))["sum"].tolist() == [15, 9, 15]
    net.blobs["data"].reshape(1, 3)
    net.blobs["data"].data[...] = 4
    assert net.forward()["sum"].tolist() == [27]
    net.blobs["data"].data[...] = 10
    assert net.forward(start="sum")["sum"].tolist() == [30]


@pytest.mark.parametrize("phase", [caffe.TRAIN, caffe.TEST])
@pytest.mark.parametrize("force", ["", "force_backward: true "])
def test_a_pass_in_the_middle_shows_what_is_there(net_of: Make, phase: int, force: str) -> None:
    names = {"NAME1": "conv1", "NAME2": "conv1", "NAME3": "conv1"}
    one, apart = force + DEEP, force + DEEP
    for name, same in names.items():
        one, apart = one.replace(name, same), apart.replace(name, name.lower())
    net, other = net_of(one, phase), net_of(apart, phase)
    x = np.random.default_rng(1).normal(size=(2, 3, 4, 5))
    for each in (net, other):
        each.blobs["data"].data[...] = x
        if phase == caffe.TEST:
            for place, value in enumerate((0.5, 2, 1)):
                each.params["bn"][place].data[...] = value
    other.forward()
    for end, name in (("conv1", "conv1"), ("bn", "name1"), ("sc", "name2"), ("relu", "name3")):
        found = net.forward(start=end if end != "conv1" else None, end=end)["conv1"]
        np.testing.assert_allclose(found, other.blobs[name].data, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(
        net.forward(start="ip")["ip"], other.blobs["ip"].data, rtol=1e-5, atol=1e-5
    )
    seen = {}
    net.after_forward(lambda index: seen.update({index: net.blobs["conv1"].data.copy()}))
    net.forward()
    np.testing.assert_allclose(seen[1], other.blobs["conv1"].data, rtol=1e-5, atol=1e-6)


def test_what_a_hook_writes_between_two_layers_counts(net_of: Make) -> None:
    net = net_of(HEAD)
    net.blobs["data"].data[...] = 1

    def write(index: int) -> None:
        if index == 1:
            net.blobs["data"].data[...] = 5

    net.after_forward(write)
    assert net.forward()["sum"].tolist() == [15, 15]


def test_a_constant_that_a_script_writes_stays(net_of: Make) -> None:
    text = """
    layer { name: "mark" type: "DummyData" top: "mark" top: "noise" dummy_data_param {
      shape { dim: 2 dim: 3 } data_filler { value: 2 } data_filler { type: "gaussian" std: 1 } } }
    layer { name: "scale" type: "Power" bottom: "mark" top: "twice" power_param { scale: 2 } }
    """
    net = net_of(text)
    assert (net.blobs["mark"].data == 2).all(), "filled before any pass"
    assert (net.forward()["twice"] == 4).all()
    noise = net.blobs["noise"].data.copy()
    net.blobs["mark"].data[...] = 7
    assert (net.forward()["twice"] == 14).all()
    assert (net.blobs["noise"].data != noise).any()


def test_inputs_in_place_train(tmp_path: Path) -> None:
    (tmp_path / "net.prototxt").write_text(
        'layer { name: "in" type: "DummyData" top: "x" top: "t" dummy_data_param { '
        "shape { dim: 2 dim: 3 } shape { dim: 2 dim: 1 } } }"
        'layer { name: "p" type: "Power" bottom: "x" top: "x" power_param { shift: 1 } }'
        'layer { name: "ip" type: "InnerProduct" bottom: "x" top: "y" '
        "inner_product_param { num_output: 1 bias_term: false weight_filler { value: 1 } } }"
        'layer { name: "loss" type: "EuclideanLoss" bottom: "y" bottom: "t" top: "loss" }'
    )
    solver_text = 'net: "net.prototxt" max_iter: 9 base_lr: 0.1 lr_policy: "fixed"'
    (tmp_path / "solver.prototxt").write_text(solver_text)
    solver = caffe.SGDSolver(str(tmp_path / "solver.prototxt"))
    solver.net.blobs["x"].data[...] = [[0, 1, 0], [0, 0, 0]]
    solver.step(1)
    # y = 4 and 3; dw = (4 [1, 2, 1] + 3 [1, 1, 1]) / 2
    np.testing.assert_allclose(
        solver.net.params["ip"][0].data, [[1 - 0.35, 1 - 0.55, 1 - 0.35]], rtol=1e-6
    )
    before = solver.net.params["ip"][0].data.copy()
    solver.param.base_lr = 0
    assert solver.lr == 0
    solver.net.blobs["x"].data[...] = 1
    solver.step(1)
    np.testing.assert_array_equal(solver.net.params["ip"][0].data, before)


PYTHON = '''
import caffe
import numpy as np

class Look(caffe.Layer):
    def setup(self, bottom, top):
        self.seen = []
    def reshape(self, bottom, top):
        pass
    def forward(self, bottom, top):
        self.seen.append(float(bottom[0].data.sum()))
    def backward(self, top, down, bottom):
        pass
    def remember(self, what):
        self.what = what

class First(Look):
    def forward(self, bottom, top):
        top[0].data[0] = 0

class Count(caffe.Layer):
    """A top whose shape is known once it is made."""
    def setup(self, bottom, top):
        pass
    def reshape(self, bottom, top):
        top[0].reshape(1, 3)
    def forward(self, bottom, top):
        rows = int(bottom[0].data[0, 0])
        top[0].reshape(rows, 3)
        top[0].data[...] = np.arange(rows * 3).reshape(rows, 3)
    def backward(self, top, down, bottom):
        pass
'''


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A module of layers beside the net, of a name that no other test has imported."""
    name = f"layers_{tmp_path.name}".replace("-", "_")
    (tmp_path / f"{name}.py").write_text(
        PYTHON.replace("import caffe", "from protonet import pycaffe as caffe")
    )
    return name


def python(module: str, kind: str) -> str:
    return (
        'layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 2 dim: 3 } } }'
        'layer { name: "ip" type: "InnerProduct" bottom: "x" top: "h" inner_product_param { '
        "num_output: 3 bias_term: false weight_filler { value: 1 } } }"
        f'layer {{ name: "py" type: "Python" bottom: "h" top: "h" '
        f'python_param {{ module: "{module}" layer: "{kind}" }} }}'
        'layer { name: "sum" type: "Reduction" bottom: "h" top: "sum" loss_weight: 1 }'
    )


def test_a_python_layer_in_place_keeps_what_it_does_not_write(net_of: Make, module: str) -> None:
    net = net_of(python(module, "Look"), caffe.TRAIN)
    net.blobs["x"].data[...] = [[1, 2, 3], [0, 0, 1]]
    net.forward()
    assert net.blobs["h"].data.tolist() == [[6, 6, 6], [1, 1, 1]]
    net.backward()
    assert net.params["ip"][0].diff.tolist() == [[1, 2, 4]] * 3
    net = net_of(python(module, "First"))
    net.blobs["x"].data[...] = 2
    net.forward()
    assert net.blobs["h"].data.tolist() == [[0, 0, 0], [6, 6, 6]]


def test_an_element_of_layers_is_the_user_s_own_object(net_of: Make, module: str) -> None:
    net = net_of(python(module, "Look"))
    own = net.layers[list(net._layer_names).index("py")]
    own.remember("this")
    assert (own.what, own.type, len(own.blobs)) == ("this", "Python", 0)
    net.blobs["x"].data[...] = 1
    net.forward()
    assert own.seen[-1] == 18


def test_tops_that_a_python_layer_shapes_in_forward(net_of: Make, module: str) -> None:
    text = (
        'layer { name: "in" type: "Input" top: "n" input_param { shape { dim: 1 dim: 1 } } }'
        f'layer {{ name: "count" type: "Python" bottom: "n" top: "rows" '
        f'python_param {{ module: "{module}" layer: "Count" }} }}'
        'layer { name: "p" type: "Power" bottom: "rows" top: "y" power_param { shift: 1 } }'
    )
    net = net_of(text)
    for rows in (4, 2, 5):
        net.blobs["n"].data[...] = rows
        found = net.forward()["y"]
        assert found.tolist() == (np.arange(rows * 3).reshape(rows, 3) + 1).tolist()
        assert net.blobs["rows"].shape == (rows, 3)
        net.forward(start="count", end="count")
        assert net.forward(start="p")["y"].shape == (rows, 3)


def test_layers_and_blobs_have_caffe_s_names_and_numbers(net_of: Make) -> None:
    text = HEAD + 'layer { name: "mean" type: "Reduction" bottom: "data" top: "mean" }'
    net = net_of(text)
    assert net._layer_names == ["data", "scale", "data_scale_0_split", "sum", "mean"]
    assert list(net.blobs) == [
        "data", "data_scale_0_split_0", "data_scale_0_split_1", "sum", "mean",
    ]  # fmt: skip
    assert net.bottom_names["mean"] == ["data_scale_0_split_1"]
    assert [layer.type for layer in net.layers][2] == "Split"


@pytest.mark.parametrize("case", cases())
def test_caffe_s_numbers_through_pycaffe(case: str, tmp_path: Path) -> None:
    """Every pass of a case by Caffe's own calls: blobs written by name, gradients too."""
    data = np.load(GOLDEN / case / "data.npz")
    phase = caffe.TRAIN if str(data["phase"]) == "TRAIN" else caffe.TEST
    text = (GOLDEN / case / "net.prototxt").read_text()
    (tmp_path / "net.prototxt").write_text(text)
    net = caffe.Net(str(tmp_path / "net.prototxt"), phase)
    params = net.params.get("l", [])
    for place, param in enumerate(params):
        param.data[...] = data[f"param/{place}"]
    for step in range(int(data["steps"])):
        suffix = f"@{step}" if int(data["steps"]) > 1 else ""
        for key in data:
            kind, _, name = key.partition("/")
            if kind == "bottom" and key.endswith(suffix):
                name = name.removesuffix(suffix)
                blob = net.blobs[f"in_{name}" if f"in_{name}" in net.blobs else name]
                blob.data[...] = data[key]
        net.forward()
        for key in data:
            if key.startswith("top/") and key.endswith(suffix):
                close(net.blobs[key[4:].removesuffix(suffix)].data, data[key], key)
        for key in data:
            if key.startswith("top_diff/") and key.endswith(suffix):
                net.blobs[key[9:].removesuffix(suffix)].diff[...] = data[key]
        net.clear_param_diffs()
        net.backward()
        for place, param in enumerate(params):
            if f"param_diff/{place}{suffix}" in data:
                close(param.diff, data[f"param_diff/{place}{suffix}"], f"param {place}")
