"""Products of matrices, in onnxruntime."""

from __future__ import annotations

import pytest

from tests.onnx.beside import hold, layer, values


@pytest.mark.parametrize(
    ("fields", "shapes"),
    [
        ("", [(2, 3, 4), (2, 4, 5)]),
        ("transpose_a: true", [(2, 4, 3), (2, 4, 5)]),
        ("transpose_b: true", [(2, 6, 3, 4), (2, 6, 5, 4)]),
    ],
)
def test_products_of_matrices(fields: str, shapes: list[tuple[int, ...]]) -> None:
    net = layer(f'type: "MatMul" mat_mul_param {{ {fields} }}', *shapes)
    assert hold(net, values(net)).any_batch
