"""MemoryData: arrays of the program as batches."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import protonet.pycaffe as caffe
from protonet.errors import LayerError
from protonet.testing import LayerHarness

SIZES = "batch_size: 2 channels: 3 height: 4 width: 5"
X = np.random.default_rng(0).standard_normal((6, 3, 4, 5)).astype(np.float32)
Y = np.arange(6)


def harness(fields: str = SIZES, more: str = "") -> LayerHarness:
    text = f'type: "MemoryData" top: "x" top: "y" memory_data_param {{ {fields} }} {more}'
    return LayerHarness(text, [])


def layer(run: LayerHarness) -> caffe.net.NetLayer:
    return run.layer  # type: ignore[return-value]


def test_batches_begin_again_after_the_last() -> None:
    run = harness()
    run.layer.set_arrays(X, Y[:, None, None, None])  # type: ignore[attr-defined]
    for start in (0, 2, 4, 0):
        x, y = run.forward()
        np.testing.assert_array_equal(x, X[start : start + 2])
        assert y.tolist() == [start, start + 1]
    state = run.layer.state()
    expected = run.forward()[1].tolist()
    run.layer.restore(state)
    assert run.forward()[1].tolist() == expected
    run.layer.set_arrays(X[2:4], Y[2:4])  # type: ignore[attr-defined]
    assert run.forward()[1].tolist() == [2, 3]


def test_by_the_net_of_pycaffe(tmp_path: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(str(tmp_path))
    with open("net.prototxt", "w") as file:  # noqa: PTH123
        file.write(
            'layer { name: "data" type: "MemoryData" top: "x" top: "y" '
            f"memory_data_param {{ {SIZES} }} }}"
        )
    net = caffe.Net("net.prototxt", caffe.TEST)
    net.set_input_arrays(X, Y)
    net.forward()
    np.testing.assert_array_equal(net.forward()["x"], X[2:4])


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ((X[:, :2], Y), "expected items of 3x4x5, got 6x2x4x5"),
        ((X[:3], Y[:3]), "expected a multiple of 2 items, the batch size, got 3x3x4x5"),
        ((X[:0], Y[:0]), "expected a multiple of 2 items, the batch size, got 0x3x4x5"),
        ((X, Y[:4]), "expected 6 labels, got 4"),
    ],
)
def test_arrays_that_do_not_fit(arrays: tuple[np.ndarray, np.ndarray], message: str) -> None:
    set_arrays: Callable[..., None] = harness().layer.set_arrays  # type: ignore[attr-defined]
    with pytest.raises(LayerError) as caught:
        set_arrays(*arrays)
    assert str(caught.value) == f'layer "l" (MemoryData): {message}'


def test_running_without_arrays() -> None:
    with pytest.raises(LayerError, match="has no arrays yet") as caught:
        harness().forward()
    assert "set_input_arrays" in caught.value.hint


@pytest.mark.parametrize(
    ("fields", "more", "message", "path"),
    [
        ("batch_size: 2", "", "channels is missing", ("memory_data_param",)),
        (
            "batch_size: 0 channels: 1",
            "",
            "batch_size is missing",
            ("memory_data_param", "batch_size"),
        ),
        (SIZES, "transform_param { scale: 2 }", "are not transformed", ("transform_param",)),
    ],
)
def test_mistakes(fields: str, more: str, message: str, path: tuple[str, ...]) -> None:
    with pytest.raises(LayerError, match=message) as caught:
        harness(fields, more)
    assert caught.value.path == path
