"""Layers that look up rows by index, and the bare parameter."""

from __future__ import annotations

import numpy as np
import pytest

from protonet.errors import LayerError
from protonet.testing import LayerHarness, check_gradients

EMBED = 'type: "Embed" embed_param { input_dim: 3 num_output: 2 }'


def test_embed_adds_up_the_gradients_of_a_row_that_comes_twice() -> None:
    harness = LayerHarness(EMBED, [[2.0, 0.0, 2.0]])
    harness.set_params([np.array([[1, 2], [3, 4], [5, 6]]), np.array([10, 20])])
    assert harness.forward()[0].tolist() == [[15, 26], [11, 22], [15, 26]]
    assert harness.backward([[[1, 2], [3, 4], [5, 6]]]) == [None]
    rows, bias = harness.param_diffs
    assert rows.tolist() == [[3, 4], [0, 0], [6, 8]]
    assert bias.tolist() == [9, 12]


def test_embed_skips_gradients_of_parameters_that_do_not_learn() -> None:
    harness = LayerHarness(f"{EMBED} param {{ lr_mult: 0 }} param {{ lr_mult: 0 }}", [[1.0]])
    harness.forward()
    harness.backward([[[1, 2]]])
    assert not any(diff.any() for diff in harness.param_diffs)


@pytest.mark.parametrize(("index", "said"), [(3.0, "3"), (-1.0, "-1"), (np.nan, "nan")])
def test_an_index_out_of_range_is_refused(index: float, said: str) -> None:
    expected = f"index {said} in 'x0' is not one of 0 to 2"
    with pytest.raises(LayerError, match=expected) as caught:
        LayerHarness(EMBED, [[0.0, index]]).forward()
    assert caught.value.path == ("bottom", 0)
    with pytest.raises(LayerError, match=expected.replace("x0", "x1")) as caught:
        LayerHarness('type: "BatchReindex"', [np.ones((3, 2)), [0.0, index]]).forward()
    assert caught.value.path == ("bottom", 1)


@pytest.mark.parametrize(
    ("fields", "message", "path"),
    [
        ("input_dim: 3", "num_output is missing: expected a count of 1 or more", ()),
        ("num_output: 2", "input_dim is missing: expected a count of 1 or more", ()),
        (
            "num_output: 2 input_dim: 0",
            "input_dim is missing: expected a count of 1 or more",
            ("input_dim",),
        ),
        (
            'num_output: 2 input_dim: 3 weight_filler { type: "gaussian" std: -1 }',
            "expected std >= 0 in a gaussian filler, got -1",
            ("weight_filler", "std"),
        ),
        (
            'num_output: 2 input_dim: 3 bias_filler { type: "uniform" min: 2 max: 1 }',
            "expected min <= max in a uniform filler, got 2 and 1",
            ("bias_filler", "min"),
        ),
    ],
)
def test_mistakes_of_embed(fields: str, message: str, path: tuple[str | int, ...]) -> None:
    with pytest.raises(LayerError) as caught:
        LayerHarness(f'type: "Embed" embed_param {{ {fields} }}', [[1.0]])
    assert (str(caught.value), caught.value.path) == (message, ("embed_param", *path))


def test_items_that_come_twice_or_never() -> None:
    harness = LayerHarness('type: "BatchReindex"', [[[1.0], [2.0], [3.0]], [2.0, 0.0, 2.0]])
    assert harness.forward()[0].tolist() == [[3], [1], [3]]
    dx, dindex = harness.backward([[[1.0], [2.0], [4.0]]])
    assert dx is not None
    assert (dx.tolist(), dindex) == ([[2], [0], [5]], None)
    harness.dbottoms = [None, None]
    assert harness.backward([[[1.0], [2.0], [4.0]]]) == [None, None]


@pytest.mark.parametrize(
    ("x", "index", "message", "place"),
    [
        ((), (2,), "expected at least 1 axis, got a scalar", 0),
        ((3, 2), (2, 1), "expected indices with 1 axis, got 'x1' 2x1", 1),
    ],
)
def test_mistakes_of_batch_reindex(
    x: tuple[int, ...], index: tuple[int, ...], message: str, place: int
) -> None:
    with pytest.raises(LayerError) as caught:
        LayerHarness('type: "BatchReindex"', [np.ones(x), np.ones(index)])
    assert (str(caught.value), caught.value.path) == (message, ("bottom", place))


@pytest.mark.parametrize("dims", ["", "dim: 3 dim: 4"])
def test_a_parameter_is_its_top(dims: str) -> None:
    text = f'type: "Parameter" parameter_param {{ shape {{ {dims} }} }}'
    check_gradients(text, [])
    harness = LayerHarness(f"{text} param {{ lr_mult: 0 }}", [])
    harness.forward()
    harness.backward([np.ones(harness.tops[0].shape)])
    assert not harness.param_diffs[0].any()


@pytest.mark.parametrize(
    ("fields", "message", "path"),
    [
        ("", "shape is missing", ("parameter_param",)),
        (
            "parameter_param { shape { dim: 2 dim: 0 } }",
            "expected a dim of 1 or more, got 0",
            ("parameter_param", "shape", "dim", 1),
        ),
    ],
)
def test_mistakes_of_parameter(fields: str, message: str, path: tuple[str | int, ...]) -> None:
    with pytest.raises(LayerError) as caught:
        LayerHarness(f'type: "Parameter" {fields}', [])
    assert (str(caught.value), caught.value.path) == (message, path)


def test_a_parameter_may_be_filled() -> None:
    fields = "parameter_param { shape { dim: 2 dim: 3 } blob_filler { value: 4 } }"
    harness = LayerHarness(f'type: "Parameter" {fields}', [])
    assert harness.forward()[0].tolist() == [[4, 4, 4]] * 2
    with pytest.raises(LayerError, match="unknown filler type 'gaussian_ball'"):
        LayerHarness(f'type: "Parameter" {fields.replace("value: 4", _BALL)}', [])


_BALL = 'type: "gaussian_ball"'
