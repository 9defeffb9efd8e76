"""Convolutions of listed pairs beside those of all pairs, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from protonet.errors import LayerError
from protonet.testing import LayerHarness

PAIRS = [(0, 0), (2, 0), (1, 2), (0, 2)]
TABLE = "connection_param { input: [0, 2, 1, 0] output: [0, 0, 2, 2] }"


@pytest.mark.parametrize("kind", ["Convolution", "Deconvolution"])
def test_other_pairs_have_the_weight_0(kind: str) -> None:
    generator = np.random.default_rng(1)
    x = generator.standard_normal((2, 3, 5, 6))
    text = "convolution_param { num_output: 3 kernel_h: 2 kernel_w: 3 stride: 2 }"
    made = LayerHarness(f'type: "Table{kind}" {TABLE} {text}', [x])
    whole = LayerHarness(f'type: "{kind}" {text}', [x])
    w, bias = generator.standard_normal((4, 2, 3)), generator.standard_normal(3)
    dense = np.zeros((3, 3, 2, 3))
    for kernel, (i, o) in zip(w, PAIRS, strict=True):
        dense[(o, i) if kind == "Convolution" else (i, o)] = kernel
    made.set_params([w, bias])
    whole.set_params([dense, bias])
    (y,) = whole.forward()
    np.testing.assert_allclose(made.forward()[0], y, rtol=1e-5)
    dy = generator.standard_normal(y.shape)
    for _ in range(2):
        np.testing.assert_allclose(made.backward([dy])[0], whole.backward([dy])[0], rtol=1e-5)
    of_all = whole.layer.params[0].diff
    expected = [of_all[(o, i) if kind == "Convolution" else (i, o)] for i, o in PAIRS]
    np.testing.assert_allclose(made.layer.params[0].diff, expected, rtol=1e-4)
    np.testing.assert_allclose(made.layer.params[1].diff, whole.layer.params[1].diff, rtol=1e-4)


@pytest.mark.parametrize(
    ("table", "text", "message"),
    [
        ("", "", "needs as many input as output, and at least one, got 0 and 0"),
        ("input: [0, 1] output: 0", "", r"needs as many input as output.* got 2 and 1"),
        ("input: [0, 0] output: [1, 1]", "", "input 0 is connected to output 1 twice"),
        ("input: 3 output: 0", "", r"input 3 is not one of the channels .* 0 to 2"),
        ("input: 0 output: 4", "num_output: 4", "num_output above the greatest output, 4, got 4"),
        ("input: 0 output: 0", "group: 3", "there is no group, got 3"),
    ],
)
def test_what_is_refused(table: str, text: str, message: str) -> None:
    with pytest.raises(LayerError, match=message):
        LayerHarness(
            f'type: "TableConvolution" connection_param {{ {table} }} '
            f"convolution_param {{ kernel_size: 2 {text} }}",
            [np.zeros((2, 3, 4, 5))],
        )
