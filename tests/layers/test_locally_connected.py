"""LocallyConnected beside convolutions, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from protonet.errors import LayerError
from protonet.testing import LayerHarness


def harness(text: str, *bottoms: np.ndarray, kind: str = "LocallyConnected") -> LayerHarness:
    return LayerHarness(f'type: "{kind}" convolution_param {{ {text} }}', list(bottoms))


def test_with_the_same_weight_everywhere_it_is_a_convolution() -> None:
    generator = np.random.default_rng(2)
    a, b = generator.standard_normal((2, 2, 3, 6, 5))
    w, bias = generator.standard_normal((4, 3, 2, 3)), generator.standard_normal(4)
    text = "num_output: 4 kernel_h: 2 kernel_w: 3 stride: 2 pad_w: 1 pad_h: 0"
    local, shared = harness(text, a, b), harness(text, a, b, kind="Convolution")
    assert local.layer.params[0].shape == (3, 3, 4, 3, 2, 3)
    local.set_params([np.broadcast_to(w, (3, 3, *w.shape)), np.repeat(bias, 9).reshape(4, 3, 3)])
    shared.set_params([w, bias])
    for y, expected in zip(local.forward(), shared.forward(), strict=True):
        np.testing.assert_allclose(y, expected, rtol=1e-4, atol=1e-5)
    dys = [generator.standard_normal((2, 4, 3, 3)) for _ in range(2)]
    for dx, expected in zip(local.backward(dys), shared.backward(dys), strict=True):
        np.testing.assert_allclose(dx, expected, rtol=1e-4, atol=1e-5)
    dweight, dbias = (param.diff for param in local.layer.params)
    of_all, of_all_biases = (param.diff for param in shared.layer.params)
    np.testing.assert_allclose(dweight.sum(axis=(0, 1)), of_all, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(dbias.sum(axis=(1, 2)), of_all_biases, rtol=1e-4, atol=1e-5)


def test_each_place_has_its_own_weight() -> None:
    made = harness("num_output: 1 kernel_size: 1", np.ones((1, 1, 2, 3)))
    made.set_params([np.arange(6.0).reshape(2, 3, 1, 1, 1, 1), 10 * np.arange(6).reshape(1, 2, 3)])
    np.testing.assert_array_equal(made.forward()[0][0, 0], [[0, 11, 22], [33, 44, 55]])


@pytest.mark.parametrize(
    ("text", "message", "field"),
    [
        ("kernel_size: 2", "needs num_output above 0", "num_output"),
        ("num_output: 3 kernel_size: 2 group: 3", "has no groups, got group 3", "group"),
        ("num_output: 3 kernel_size: 2 output_padding: 1", "Deconvolution only", "output_padding"),
    ],
)
def test_what_is_refused(text: str, message: str, field: str) -> None:
    with pytest.raises(LayerError, match=message) as caught:
        harness(text, np.zeros((2, 3, 4, 5)))
    assert caught.value.path == ("convolution_param", field)
