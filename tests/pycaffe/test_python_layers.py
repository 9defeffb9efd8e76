"""Layers of type Python in nets of pycaffe: what scripts for Caffe's module rely on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import protonet.pycaffe as caffe

Make = Callable[..., caffe.Net]

MODULE = "tests.pycaffe.test_python_layers"
INPUT = """
force_backward: true
layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 2 dim: 3 dim: 5 } } }
"""


class Times(caffe.Layer):
    """y = c x, with c the ``param_str``."""

    def setup(self, bottom: Any, top: Any) -> None:
        self.factor = float(self.param_str)

    def reshape(self, bottom: Any, top: Any) -> None:
        top[0].reshape(*bottom[0].data.shape)

    def forward(self, bottom: Any, top: Any) -> None:
        top[0].data[...] = self.factor * bottom[0].data

    def backward(self, top: Any, propagate_down: Any, bottom: Any) -> None:
        bottom[0].diff[...] = self.factor * top[0].diff


class Weighted(caffe.Layer):
    """Has one number as its parameter, whose gradient is always 1."""

    def setup(self, bottom: Any, top: Any) -> None:
        self.blobs.add_blob(1)
        self.blobs[0].data[0] = 0

    def reshape(self, bottom: Any, top: Any) -> None:
        top[0].reshape(*bottom[0].data.shape)

    def forward(self, bottom: Any, top: Any) -> None:
        pass

    def backward(self, top: Any, propagate_down: Any, bottom: Any) -> None:
        self.blobs[0].diff[0] = 1


class TellsPhase(caffe.Layer):
    """Its top is the phase."""

    def reshape(self, bottom: Any, top: Any) -> None:
        top[0].reshape()

    def forward(self, bottom: Any, top: Any) -> None:
        top[0].data[()] = self.phase


class CodedError(Exception):
    """An error of a user's own, with what only it knows."""

    def __init__(self, code: int) -> None:
        super().__init__(f"code {code}")
        self.code = code


class Raises(Times):
    """Raises in the method that ``param_str`` names."""

    def setup(self, bottom: Any, top: Any) -> None:
        self._may_raise("setup", 1)

    def reshape(self, bottom: Any, top: Any) -> None:
        self._may_raise("reshape", 2)
        super().reshape(bottom, top)

    def forward(self, bottom: Any, top: Any) -> None:
        self._may_raise("forward", 3)

    def backward(self, top: Any, propagate_down: Any, bottom: Any) -> None:
        self._may_raise("backward", 4)

    def _may_raise(self, method: str, code: int) -> None:
        if self.param_str == method:
            raise CodedError(code)


def python(kind: str, bottom: str, top: str, param_str: str = "") -> str:
    return (
        f'layer {{ name: "{top}" type: "Python" bottom: "{bottom}" top: "{top}" python_param {{ '
        f'module: "{MODULE}" layer: "{kind}" param_str: "{param_str}" }} }}\n'
    )


CHAIN = INPUT + python("Times", "x", "a", "10") + python("Times", "a", "b", "2")


def test_values_and_gradients_pass_through_a_chain(net_of: Make) -> None:
    net = net_of(CHAIN, caffe.TRAIN)
    x = np.arange(30.0).reshape(2, 3, 5)
    net.blobs["x"].data[...] = x
    net.forward()
    np.testing.assert_array_equal(net.blobs["b"].data, 20 * x)
    net.blobs["b"].diff[...] = x
    net.backward()
    np.testing.assert_array_equal(net.blobs["x"].diff, 20 * x)


def test_another_shape_of_the_input_reaches_every_blob(net_of: Make) -> None:
    net = net_of(CHAIN, caffe.TRAIN)
    net.blobs["x"].reshape(4, 1, 2, 3)
    net.forward()
    assert [blob.data.shape for blob in net.blobs.values()] == [(4, 1, 2, 3)] * 3


def test_a_parameter_is_kept_loaded_and_shared(net_of: Make, tmp_path: Path) -> None:
    text = INPUT + python("Weighted", "x", "y")
    net = net_of(text, caffe.TRAIN)
    net.forward()
    net.backward()
    blob = net.layers[list(net._layer_names).index("y")].blobs[0]
    assert (blob.data[0], blob.diff[0]) == (0, 1)
    blob.data[0] = 3
    net.save(tmp_path / "w.caffemodel")
    blob.data[0] = -1
    net.copy_from(tmp_path / "w.caffemodel")
    assert blob.data[0] == 3
    other = net_of(text, caffe.TRAIN)
    other.share_with(net)
    assert other.params["y"][0].data[0] == 3


@pytest.mark.parametrize("phase", [caffe.TRAIN, caffe.TEST])
def test_the_phase(net_of: Make, phase: int) -> None:
    text = (
        f'layer {{ name: "p" type: "Python" top: "phase" python_param {{ module: "{MODULE}" '
        'layer: "TellsPhase" } }'
    )
    assert net_of(text, phase).forward()["phase"] == phase


@pytest.mark.parametrize(
    ("method", "code"), [("setup", 1), ("reshape", 2), ("forward", 3), ("backward", 4)]
)
def test_an_error_of_one_s_own_arrives_as_it_was_raised(
    net_of: Make, method: str, code: int
) -> None:
    def run() -> None:
        net = net_of(INPUT + python("Raises", "x", "y", method), caffe.TRAIN)
        net.forward()
        net.backward()

    with pytest.raises(CodedError) as caught:
        run()
    assert type(caught.value) is CodedError
    assert str(caught.value) == f"code {code}"
    assert caught.value.code == code
    assert caught.value.__notes__ == [f'in Raises.{method}, of layer "y" (Python)']


def test_an_error_arrives_through_a_solver_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for method, code in (("setup", 1), ("forward", 3)):
        Path("net.prototxt").write_text(INPUT + python("Raises", "x", "y", method))
        Path("solver.prototxt").write_text(
            'net: "net.prototxt" base_lr: 1 lr_policy: "fixed" max_iter: 1 snapshot_prefix: "s"'
        )
        with pytest.raises(CodedError) as caught:
            caffe.SGDSolver("solver.prototxt").step(1)
        assert caught.value.code == code
