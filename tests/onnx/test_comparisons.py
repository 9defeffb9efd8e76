"""Comparisons, in onnxruntime."""

from __future__ import annotations

import pytest

from tests.onnx.beside import hold, layer, values

OPERATIONS = ("EQ", "NE", "LT", "LE", "GT", "GE")


@pytest.mark.parametrize("operation", OPERATIONS)
def test_with_a_value_and_with_a_bottom(operation: str) -> None:
    given = f"operation: {operation} value: 0.1"
    for shapes in ([(20, 30)], [(20, 30), (20, 30)]):
        net = layer(f'type: "Compare" compare_param {{ {given} }}', *shapes)
        hold(net, values(net))


def test_a_threshold() -> None:
    net = layer('type: "Threshold" threshold_param { threshold: 0.2 }', (20, 30))
    hold(net, values(net))
