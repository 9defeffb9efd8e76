"""Functions of each value and of vectors, noise, and rows by index, in onnxruntime."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from protonet.formats.caffemodel import write_weights
from tests.onnx.beside import hold, layer, values

ELEMENTWISE = 'type: "Elementwise" elementwise_param'


@pytest.mark.parametrize(
    "text",
    [
        'type: "Elementwise"',
        f"{ELEMENTWISE} {{ operation: SOFTPLUS beta: 2.5 }}",
        f"{ELEMENTWISE} {{ operation: LOG_SIGMOID }}",
        f"{ELEMENTWISE} {{ operation: HARD_SHRINK lambda: 0.4 }}",
        f"{ELEMENTWISE} {{ operation: SOFT_SHRINK lambda: 0.4 }}",
        f"{ELEMENTWISE} {{ operation: THRESHOLD threshold: 0.2 value: -3 }}",
        'type: "LogSoftmax"',
        'type: "LogSoftmax" softmax_param { axis: -1 }',
        'type: "LpNormalization"',
        'type: "LpNormalization" lp_normalization_param { p: 1 axis: 2 }',
        'type: "LpNormalization" lp_normalization_param { p: 3 eps: 0.5 }',
        'type: "LpNormalization" lp_normalization_param { p: inf }',
        'type: "RReLU" rrelu_param { lower: 0.1 upper: 0.5 }',
        'type: "GaussianNoise" gaussian_noise_param { mean: 3 }',
        'type: "GradientScale" gradient_scale_param { scale: -1 }',
    ],
)
def test_functions(text: str) -> None:
    net = layer(text, (2, 3, 4, 5))
    assert hold(net, values(net)).any_batch


def test_square_roots() -> None:
    net = layer(f"{ELEMENTWISE} {{ operation: SQRT }}", (2, 3))
    hold(net, {"x0": np.array([[0, 1, 4], [2, 0.25, 9]], np.float32)})


def test_vectors_of_indices() -> None:
    net = layer('type: "OneHot" one_hot_param { num_output: 5 }', (2, 3))
    hold(net, {"x0": np.array([[0, 4, 2], [2, 1, 3]], np.float32)})
    net = layer('type: "OneHot" one_hot_param { num_output: 5 first_index: 1 }', (2, 3))
    hold(net, {"x0": np.array([[1, 4, 2], [2, 5, 3]], np.float32)})


@pytest.mark.parametrize("p", [1, 2])
def test_rows_of_bounded_norm(p: int, tmp_path: Path) -> None:
    fields = f"num_output: 3 input_dim: 4 bias_term: false max_norm: 2 norm_type: {p}"
    net = layer(f'type: "Embed" embed_param {{ {fields} }}', (2, 3))
    table = np.array([[0, 0, 0], [1, -0.5, 0], [3, -4, 0], [2, 2, -2]], np.float32)
    weights = tmp_path / "w.caffemodel"
    write_weights(weights, {"l": [table]})
    hold(net, {"x0": np.array([[0, 1, 2], [3, 2, 1]], np.float32)}, weights)
