"""Layers of optical flow, in onnxruntime."""

from __future__ import annotations

import pytest

from tests.onnx.beside import hold, layer, values

CASES = [
    ('type: "ChannelNorm"', [(2, 3, 4, 5)]),
    ('type: "Mean" mean_param { operation: ADD value: [1, 2, 3] input_scale: 2 }', [(2, 6, 4, 5)]),
    ('type: "Resample" resample_param { height: 3 width: 9 }', [(2, 3, 4, 5)]),
    ('type: "Resample" resample_param { height: 9 width: 7 type: CUBIC }', [(2, 3, 4, 5)]),
]


@pytest.mark.parametrize(("text", "shapes"), CASES, ids=lambda value: str(value)[:60])
def test_layers_of_flow(text: str, shapes: list[tuple[int, ...]]) -> None:
    net = layer(text, *shapes)
    assert hold(net, values(net)).any_batch


def test_a_mean_of_several_blobs() -> None:
    net = layer('type: "Mean" mean_param { operation: SUBTRACT value: 3 }', (2, 3, 4, 5),
                (2, 1, 2, 3), tops=2)  # fmt: skip
    hold(net, values(net))
