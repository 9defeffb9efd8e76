"""BN in the dialects of PSPNet and of SegNet."""

from __future__ import annotations

import numpy as np
import pytest

from protonet.device import Device
from protonet.errors import LayerError
from protonet.graph.net import Net
from protonet.layers.base import LowPrecision
from protonet.proto.caffe_pb2 import TEST, TRAIN
from protonet.testing import LayerHarness, check_gradients
from tests.graph.nets import plan_of

X = (4, 3, 5, 2)
AXES = (0, 2, 3)
SLOPE, BIAS = np.array([2.0, -3, 0.5]), np.array([5.0, 6, 7])


def values(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(X) * 2 + 1


def wide(values: object) -> np.ndarray:
    return np.reshape(values, (1, 3, 1, 1))


def harness(
    fields: str, *, phase: int = TRAIN, tops: str = "", params: object = ()
) -> LayerHarness:
    run = LayerHarness(f'type: "BN" {tops} bn_param {{ {fields} }}', [values()], phase=phase)
    run.set_params([wide(each) for each in params or (SLOPE, BIAS, np.zeros(3), np.zeros(3))]
                   [: len(run.layer.params)])  # fmt: skip
    return run


def normal(x: np.ndarray, eps: float) -> np.ndarray:
    mean, var = x.mean(axis=AXES, keepdims=True), x.var(axis=AXES, keepdims=True)
    return np.asarray((x - mean) / np.sqrt(var + eps))


@pytest.mark.parametrize(
    ("fields", "eps"), [("momentum: 0.5 eps: 0.5", 0.5), ("bn_mode: LEARN", 1e-9)]
)
def test_the_batch_is_normalized_scaled_and_shifted(fields: str, eps: float) -> None:
    (y,) = harness(fields).forward()
    expected = normal(values(), eps) * wide(SLOPE) + wide(BIAS)
    np.testing.assert_allclose(y, expected, rtol=1e-4, atol=1e-5)


def test_averages_begin_at_0_and_move_to_each_batch() -> None:
    run = harness("momentum: 0.75")
    run.forward()
    run.inputs = [values(1)]
    run.forward()
    first, second = values(), values(1)
    for param, of in zip(run.layer.params[2:], (np.mean, np.var), strict=True):
        expected = 0.75 * 0.25 * of(first, axis=AXES) + 0.25 * of(second, axis=AXES)
        np.testing.assert_allclose(param.data, wide(expected), rtol=1e-4)


@pytest.mark.parametrize(("fields", "phase"), [("frozen: true", TRAIN), ("", TEST)])
def test_averages_are_used_frozen_or_in_test(fields: str, phase: int) -> None:
    mean, var = np.array([1.0, 0, -1]), np.array([4.0, 1, 0.25])
    run = harness(fields, phase=phase, params=(SLOPE, BIAS, mean, var))
    expected = (values() - wide(mean)) / np.sqrt(wide(var) + 1e-5) * wide(SLOPE) + wide(BIAS)
    np.testing.assert_allclose(run.forward()[0], expected, rtol=1e-4, atol=1e-5)
    (dx,) = run.backward([np.ones(X)])
    np.testing.assert_allclose(dx, np.broadcast_to(wide(SLOPE / np.sqrt(var + 1e-5)), X), rtol=1e-5)
    np.testing.assert_array_equal(run.layer.params[2].data, wide(mean))
    learns = [param.lr_mult for param in run.layer.params]
    assert learns == ([0, 0, 0, 0] if fields else [1, 1, 0, 0])


def test_a_frozen_layer_begins_with_variance_1() -> None:
    layer = LayerHarness('type: "BN" bn_param { frozen: true slope_filler { value: 2 } }',
                         [values()]).layer  # fmt: skip
    assert [float(param.data[0, 0, 0, 0]) for param in layer.params] == [2, 0, 0, 1]


@pytest.mark.parametrize("phase", [TRAIN, TEST])
def test_learn_takes_the_batch_in_both_phases(phase: int) -> None:
    run = harness("scale_filler { value: 1 }", phase=phase, tops='top: "y" top: "m" top: "v"')
    y, mean, var = run.forward()
    assert len(run.layer.params) == 2
    assert (mean.shape, var.shape) == ((1, 3, 1, 1), (1, 3, 1, 1))
    np.testing.assert_allclose(mean, values().mean(axis=AXES, keepdims=True), rtol=1e-4)
    np.testing.assert_allclose(var, values().var(axis=AXES, keepdims=True), rtol=1e-4)
    np.testing.assert_allclose(
        y, normal(values(), 1e-9) * wide(SLOPE) + wide(BIAS), rtol=1e-4, atol=1e-5
    )


def test_inference_is_scale_and_shift() -> None:
    run = harness("bn_mode: INFERENCE")
    np.testing.assert_allclose(
        run.forward()[0], values() * wide(SLOPE) + wide(BIAS), rtol=1e-5, atol=1e-6
    )
    dy = values(2)
    (dx,) = run.backward([dy])
    np.testing.assert_allclose(dx, dy * wide(SLOPE), rtol=1e-5)
    ds, db = run.param_diffs
    np.testing.assert_allclose(ds, (dy * values()).sum(axis=AXES, keepdims=True), rtol=1e-4)
    np.testing.assert_allclose(db, dy.sum(axis=AXES, keepdims=True), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("fields", ["slope_filler { value: 2 }", "bn_mode: INFERENCE"])
def test_a_convolution_before_it_computes_it_as_well(fields: str) -> None:
    text = (
        'layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 2 dim: 3 dim: 5 '
        'dim: 4 } } } layer { name: "conv" type: "Convolution" bottom: "x" top: "c" '
        'convolution_param { num_output: 3 kernel_size: 3 weight_filler { type: "xavier" } } } '
        'layer { name: "norm" type: "BN" bottom: "c" top: "c" bn_param { FIELDS } }'
    )
    text = text.replace("FIELDS", fields)
    found = []
    for fuse in (False, True):
        net = Net(plan_of(text, TEST), Device(), gradients=False, fuse=fuse)
        norm = [SLOPE, BIAS, np.array([0.5, 0, 1]), np.array([4.0, 1, 9])]
        for param, array in zip(net.params["norm"], norm, strict=False):
            param.data[...] = wide(array)
        net.blobs["x"].data[...] = np.random.default_rng(0).standard_normal((2, 3, 5, 4))
        net.forward()
        found.append(net.blobs["c"].data.copy())
    np.testing.assert_allclose(found[1], found[0], rtol=1e-5, atol=1e-6)


def test_gradients_of_every_form() -> None:
    for fields in ("slope_filler { value: 2 }", "bn_mode: LEARN",
                   "bn_mode: INFERENCE"):  # fmt: skip
        check_gradients(f'name: "l" type: "BN" bottom: "x" top: "y" bn_param {{ {fields} }}', [X])


def test_statistics_are_not_kept_in_16_bits() -> None:
    assert harness("").layer.traits.low_precision is LowPrecision.WITH_BOTTOMS
    assert (
        harness("bn_mode: LEARN", tops='top: "y" top: "m"').layer.traits.low_precision
        is LowPrecision.NEVER
    )


@pytest.mark.parametrize(
    ("fields", "message", "path"),
    [
        (
            "eps: 1 bn_mode: LEARN",
            "eps and bn_mode are of different forks",
            ("bn_param", "bn_mode"),
        ),
        ("momentum: 1.5", "expected momentum of 0 to 1, got 1.5", ("bn_param", "momentum")),
        ("eps: 0", "expected eps above 0, got 0", ("bn_param", "eps")),
    ],
)
def test_mistakes(fields: str, message: str, path: tuple[str, ...]) -> None:
    with pytest.raises(LayerError) as caught:
        harness(fields)
    assert (str(caught.value), caught.value.path) == (message, path)


@pytest.mark.parametrize("fields", ["", "bn_mode: INFERENCE"])
def test_only_learn_has_further_tops(fields: str) -> None:
    with pytest.raises(LayerError, match="only LEARN gives the batch's mean and var") as caught:
        harness(fields, tops='top: "y" top: "m"')
    assert caught.value.path == ("top", 1)


def test_one_axis_is_refused() -> None:
    with pytest.raises(LayerError, match="expected a bottom of at least 2 axes"):
        LayerHarness('type: "BN"', [np.zeros(4)])


def test_icnet_is_the_same_layer_or_none() -> None:
    LayerHarness('type: "BN" bn_param { icnet: true }', [np.zeros((2, 3))])
    with pytest.raises(LayerError, match="icnet: false is another BN, of Synopsys' fork"):
        LayerHarness('type: "BN" bn_param { icnet: false }', [np.zeros((2, 3))])
