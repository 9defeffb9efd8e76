"""Convolution and its kin: edges and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from protonet.errors import LayerError
from protonet.testing import LayerHarness

X = (2, 6, 5, 7)


def harness(text: str, *bottoms: tuple[int, ...], kind: str = "Convolution") -> LayerHarness:
    shapes = bottoms if bottoms else (X,)
    values = [np.random.default_rng(i).standard_normal(s) for i, s in enumerate(shapes)]
    return LayerHarness(f'type: "{kind}" convolution_param {{ {text} }}', values)


@pytest.mark.parametrize(
    ("text", "message", "path"),
    [
        ("kernel_size: 3", "needs num_output above 0", "num_output"),
        ("num_output: 4 kernel_size: 3 group: 4", "group 4 must divide the 6 channels", "group"),
        ("num_output: 4 kernel_size: 3 group: 0", "group 0 must divide", "group"),
    ],
)
def test_what_is_refused(text: str, message: str, path: str) -> None:
    with pytest.raises(LayerError, match=message) as caught:
        harness(text)
    assert caught.value.path == ("convolution_param", path)


def test_deconvolution_refuses_a_pad_that_leaves_nothing() -> None:
    with pytest.raises(LayerError, match="pad 9x9 leaves nothing"):
        harness("num_output: 2 kernel_size: 2 pad: 9", kind="Deconvolution")


def test_two_bottoms_share_one_weight() -> None:
    run = harness("num_output: 3 kernel_size: 2", X, X)
    assert [param.shape for param in run.layer.params] == [(3, 6, 2, 2), (3,)]
    assert len(run.layer.infer([X, X])) == 2


def test_a_kernel_as_large_as_the_image_is_an_inner_product() -> None:
    run = harness("num_output: 3 kernel_h: 5 kernel_w: 7")
    generator = np.random.default_rng(5)
    run.set_params([generator.standard_normal(p.shape) for p in run.layer.params])
    run.forward()
    weight, bias = (param.data for param in run.layer.params)
    expected = run.bottoms[0].reshape(2, -1) @ weight.reshape(3, -1).T + bias
    np.testing.assert_allclose(run.tops[0].reshape(2, 3), expected, rtol=1e-4, atol=1e-5)


def test_output_padding_reverses_a_strided_convolution() -> None:
    """The top has the size of a bottom that the convolution reduces to 2 x 3; behind its windows
    there is only the bias.
    """
    text = "num_output: 1 kernel_size: 2 stride: 3 output_padding: 1 output_padding: 2"
    made = harness(text, (1, 1, 2, 3), kind="Deconvolution")
    made.set_params([np.ones((1, 1, 2, 2)), np.array([0.5])])
    (y,) = made.forward()
    assert y.shape == (1, 1, 6, 10)
    x = made.bottoms[0][0, 0]
    expected = np.full((6, 10), 0.5, np.float32)
    for i, j in np.ndindex(2, 3):
        expected[3 * i : 3 * i + 2, 3 * j : 3 * j + 2] += x[i, j]
    np.testing.assert_allclose(y[0, 0], expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("text", "kind", "message"),
    [
        ("output_padding: 2", "Deconvolution", "output_padding below the stride, 2x2, got 2x2"),
        ("output_padding: [1, 0, 1]", "Deconvolution", "expected 1 or 2 output_padding, got 3"),
        ("output_padding: 1", "Convolution", "output_padding is for Deconvolution only"),
    ],
)
def test_output_paddings_that_are_refused(text: str, kind: str, message: str) -> None:
    with pytest.raises(LayerError, match=message) as caught:
        harness(f"num_output: 2 kernel_size: 3 stride: 2 {text}", kind=kind)
    assert caught.value.path == ("convolution_param", "output_padding")
