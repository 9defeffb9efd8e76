"""ReLU, ReLU6, PReLU, Clip, Threshold, AbsVal: kinks and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from google.protobuf import text_format

from protonet.errors import LayerError
from protonet.proto.caffe_pb2 import LayerParameter
from protonet.testing import LayerHarness
from tests.layers.elements import run, slopes


def test_relu_at_its_kink_takes_the_negative_side() -> None:
    assert slopes('type: "ReLU"', -1, 0, 1) == [0.0, 0.0, 1.0]
    assert slopes('type: "ReLU" relu_param { negative_slope: 0.25 }', -1, 0, 1) == [0.25, 0.25, 1.0]


def test_relu_lets_nan_through() -> None:
    assert np.isnan(run('type: "ReLU"', np.nan)).all()
    assert np.isnan(run('type: "ReLU" relu_param { negative_slope: 0.1 }', np.nan)).all()


@pytest.mark.parametrize(
    ("text", "values", "expected", "slope"),
    [
        ('type: "ReLU6"', [-1, 0, 3, 6, 9], [0, 0, 3, 6, 6], [0, 0, 1, 0, 0]),
        (
            'type: "Clip" clip_param { min: -1 max: 2 }',
            [-3, -1, 0, 2, 5],
            [-1, -1, 0, 2, 2],
            [0, 1, 1, 1, 0],
        ),
        ('type: "AbsVal"', [-2, 0, 3], [2, 0, 3], [-1, 0, 1]),
    ],
)
def test_values_and_slopes_at_the_kinks(
    text: str, values: list[float], expected: list[float], slope: list[float]
) -> None:
    assert run(text, *values) == expected
    assert slopes(text, *values) == slope


@pytest.mark.parametrize("in_place", [False, True])
def test_threshold_is_above_not_at(in_place: bool) -> None:
    text = 'type: "Threshold" threshold_param { threshold: 0.5 }'
    harness = LayerHarness(text, [[0.25, 0.5, 0.75]], in_place=in_place)
    assert harness.forward()[0].tolist() == [0.0, 0.0, 1.0]
    assert harness.dbottoms == [None]


def test_prelu_begins_at_a_quarter_and_has_a_slope_for_each_channel() -> None:
    harness = LayerHarness('type: "PReLU"', [[[-4.0, 4.0], [-8.0, 0.0]]])
    assert harness.layer.params[0].data.tolist() == [0.25, 0.25]
    harness.set_params([np.array([0.5, 0.25])])
    assert harness.forward()[0].tolist() == [[-2.0, 4.0], [-4.0, 0.0]]
    (dx,) = harness.backward([np.ones((2, 2))])
    assert dx is not None
    assert dx.tolist() == [[0.5, 1.0], [0.5, 0.25]]
    assert harness.param_diffs[0].tolist() == [-12.0, 0.0]


def test_a_slope_that_does_not_learn_gets_no_gradient() -> None:
    harness = LayerHarness('type: "PReLU" param { lr_mult: 0 }', [-np.ones((2, 3))])
    harness.forward()
    harness.backward([np.ones((2, 3))])
    assert not harness.param_diffs[0].any()


@pytest.mark.parametrize(
    ("text", "shape", "message", "path"),
    [
        (
            'type: "PReLU"',
            (3,),
            "expected a bottom of at least 2 axes, got 3",
            ("bottom", 0),
        ),
        ('type: "Clip"', (3,), "min and max are required", ()),
        ('type: "Clip" clip_param { min: 0 }', (3,), "min and max are required", ()),
        (
            'type: "Clip" clip_param { min: 2 max: -1 }',
            (3,),
            "expected min <= max, got min 2 and max -1",
            ("clip_param", "min"),
        ),
        (
            'type: "Threshold" loss_weight: 1',
            (3,),
            "a threshold has no gradient and cannot be part of the objective",
            ("loss_weight",),
        ),
    ],
)
def test_mistakes(
    text: str, shape: tuple[int, ...], message: str, path: tuple[str | int, ...]
) -> None:
    with pytest.raises(LayerError) as caught:
        LayerHarness(parse_layer_partial(text), [np.ones(shape)])
    assert (str(caught.value), caught.value.path) == (message, path)


def parse_layer_partial(text: str) -> LayerParameter:
    """As ``parse_layer``, for messages without their required fields too."""
    spec = LayerParameter()
    text_format.Parse(text, spec, allow_unknown_field=False)
    spec.bottom.append("x")
    spec.top.append("y")
    return spec


@pytest.mark.parametrize(
    ("fields", "slopes"), [("", [0, 1, 1, 1, 0]), ("zero_slope_at_bounds: true", [0, 0, 1, 0, 0])]
)
def test_slopes_on_the_bounds(fields: str, slopes: list[int]) -> None:
    text = f'type: "Clip" clip_param {{ min: -1 max: 2 {fields} }}'
    harness = LayerHarness(text, [[-2.0, -1.0, 0.5, 2.0, 3.0]])
    assert harness.forward()[0].tolist() == [-1, -1, 0.5, 2, 2]
    assert harness.backward([np.ones(5)])[0].tolist() == slopes
