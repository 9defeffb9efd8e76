"""Layers of type Python: arrays without a copy, shapes that change, and what goes wrong."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from protonet.device import Device
from protonet.errors import LayerError, NetworkError
from protonet.graph.net import Net
from protonet.layers.base import LayerContext
from protonet.testing import LayerHarness
from tests.graph.nets import plan_of

MODULE = "tests.layers.python_layers"


def python(layer: str, param_str: str = "") -> str:
    return (
        f'type: "Python" top: "y" python_param {{ module: "{MODULE}" layer: "{layer}" '
        f'param_str: "{param_str}" }}'
    )


def test_the_arrays_are_the_net_s_own() -> None:
    """Without a copy: what the layer sees and writes is the memory of the blobs."""
    harness = LayerHarness(python("ScaledSquare", "3"), [np.ones((2, 3, 5))])
    harness.forward()
    layer: Any = harness.layer
    harness.backward([np.ones((2, 3, 5))])
    assert layer._bottoms[0].data is harness.bottoms[0]
    assert layer._tops[0].data is harness.tops[0]
    assert layer._tops[0].diff is harness.dtops[0]
    assert layer._bottoms[0].diff is harness.dbottoms[0]
    assert layer.user.blobs[0].data is harness.layer.params[0].data
    assert layer.user.phase == layer.phase


def test_a_bottom_is_fetched_once_a_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a GPU each time is a copy to the host."""
    harness = LayerHarness(python("ScaledSquare", "3"), [np.ones((2, 3, 5))])
    layer: Any = harness.layer
    host, fetched = layer._host, []

    def fetch(array: Any) -> Any:
        fetched.append(array)
        return host(array)

    monkeypatch.setattr(layer, "_host", fetch)
    for value in (2, 3):
        harness.inputs[0][...] = value
        (top,) = harness.forward()
        assert (top == 2 * 3 * value**2).all()
    assert sum(array is harness.bottoms[0] for array in fetched) == 2


def test_parameters_begin_with_what_setup_wrote_and_are_the_solver_s() -> None:
    text = """
    layer { name: "in" type: "Input" top: "x" top: "t" input_param {
      shape { dim: 2 dim: 3 } shape { dim: 2 dim: 3 } } }
    layer { name: "own" type: "Python" bottom: "x" top: "y" param { lr_mult: 2 } python_param {
      module: "tests.layers.python_layers" layer: "ScaledSquare" param_str: "1" } }
    layer { name: "loss" type: "EuclideanLoss" bottom: "y" bottom: "t" }
    """
    net = Net(plan_of(text), Device())
    (param,) = net.params["own"]
    assert param.data.tolist() == [[2]] * 3
    assert param.lr_mult == 2
    net.blobs["x"].data[...] = 1
    net.forward()
    net.backward()
    assert param.diff.tolist() == [[2]] * 3
    param.data[...] = 5
    net.forward()
    assert (net.blobs["y"].data == 5).all()


def test_reshape_follows_the_values() -> None:
    text = """
    force_backward: true
    layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 4 dim: 2 } } }
    layer { name: "some" type: "Python" bottom: "x" top: "some" python_param {
      module: "tests.layers.python_layers" layer: "PositiveRows" } }
    layer { name: "sum" type: "Reduction" bottom: "some" top: "sum" loss_weight: 1 }
    """
    net = Net(plan_of(text), Device())
    for signs in ([1, -1, 1, -1], [1, 1, 1, 1], [-1, -1, -1, -1]):
        x = np.outer(signs, [3.0, 1.0])
        net.blobs["x"].data[...] = x
        net.forward()
        net.backward()
        assert net.loss() == 4 * signs.count(1)
        assert net.blobs["some"].shape == (signs.count(1), 2)
        np.testing.assert_array_equal(net.blobs["x"].diff, x > 0)


def test_a_loss_in_python() -> None:
    harness = LayerHarness(f"{python('MeanAbsolute')} loss_weight: 1", [[[3.0, 1.0]], [[1.0, 1.0]]])
    assert harness.forward()[0].tolist() == [1.0]
    a, b = harness.backward([[2.0]])
    assert a is not None
    assert b is not None
    assert (a.tolist(), b.tolist()) == ([[1, 0]], [[-1, 0]])


def test_a_bottom_without_gradient_has_a_diff_that_nobody_reads() -> None:
    harness = LayerHarness(python("ScaledSquare", "1"), [np.ones((2, 3))])
    harness.forward()
    harness.dbottoms = [None]
    assert harness.backward([np.ones((2, 3))]) == [None]
    layer: Any = harness.layer
    assert layer._bottoms[0].diff.shape == (2, 3)


@pytest.mark.parametrize("method", ["setup", "reshape", "forward", "backward"])
def test_what_the_user_s_code_raises_is_told_with_its_place(method: str) -> None:
    def run() -> None:
        harness = LayerHarness(python("Broken", method), [np.ones((2, 3))])
        harness.forward()
        harness.backward([np.ones((2, 3))])

    with pytest.raises(LayerError) as caught:
        run()
    assert re.fullmatch(
        rf"Broken\.{method} raised RuntimeError: no {method} today \(.*python_layers\.py:\d+\)",
        str(caught.value),
    )


def test_a_class_without_the_methods() -> None:
    with pytest.raises(LayerError, match=r"Empty\.reshape raised NotImplementedError: Empty has"):
        LayerHarness(python("Empty"), [np.ones(3)])


@pytest.mark.parametrize(
    ("fields", "message", "path"),
    [
        ("", "module and layer are required", ()),
        ('module: "x"', "module and layer are required", ()),
        (
            'module: "nowhere" layer: "X"',
            "module 'nowhere' cannot be imported: ModuleNotFoundError: No module named 'nowhere'",
            ("python_param", "module"),
        ),
        (
            f'module: "{MODULE}" layer: "Scaled"',
            f"module '{MODULE}' ({Path(__file__).with_name('python_layers.py')}) has no class "
            "'Scaled'",
            ("python_param", "layer"),
        ),
    ],
)
def test_mistakes(fields: str, message: str, path: tuple[str, ...]) -> None:
    with pytest.raises(LayerError) as caught:
        LayerHarness(f'type: "Python" top: "y" python_param {{ {fields} }}', [np.ones(3)])
    assert (str(caught.value), caught.value.path) == (message, path)


def test_modules_lie_beside_the_text(tmp_path: Path) -> None:
    (tmp_path / "beside_the_text.py").write_text(
        "from protonet.layers.python_api import Layer\n"
        "class Copy(Layer):\n"
        "    def reshape(self, bottom, top): top[0].reshape(*bottom[0].shape)\n"
        "    def forward(self, bottom, top): top[0].data[...] = bottom[0].data\n"
    )
    text = """
    layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 4 dim: 2 } } }
    layer { name: "own" type: "Python" bottom: "x" top: "y" python_param {
      module: "beside_the_text" layer: "Copy" } }
    """
    before = list(sys.path)
    plan = plan_of(text, context=LayerContext(folder=tmp_path))
    assert plan.last["y"].shape == (4, 2)
    assert sys.path == before


def test_python_layers_can_be_forbidden() -> None:
    text = f'layer {{ name: "own" {python("Empty")} }}'
    with pytest.raises(NetworkError, match="Python layers run code, which is not allowed here"):
        plan_of(text, context=LayerContext(python_layers=False))
