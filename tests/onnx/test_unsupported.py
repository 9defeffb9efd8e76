"""What ONNX lacks: every layer type is converted or has a reason, and the page says the same."""

from __future__ import annotations

from pathlib import Path

from protonet.layers import layer_types
from protonet.onnx import export  # noqa: F401 - it registers the converters
from protonet.onnx.conversion import CONVERTERS
from protonet.onnx.unsupported import UNSUPPORTED

PAGE = Path(__file__).parents[2] / "docs" / "onnx.md"


def test_every_layer_type_is_converted_or_has_a_reason() -> None:
    assert {*CONVERTERS, *UNSUPPORTED, "Input"} == set(layer_types())
    assert not set(CONVERTERS) & set(UNSUPPORTED)


def test_the_page_lists_both() -> None:
    converted, lacking = PAGE.read_text().split("## What ONNX lacks")
    for name in CONVERTERS:
        assert f"`{name}`" in converted, name
    for name, reason in UNSUPPORTED.items():
        (row,) = [line for line in lacking.splitlines() if f"`{name}`" in line]
        assert row.endswith(f"| {reason} |"), name
