"""Names are given once, and a layer type has one converter."""

from __future__ import annotations

import numpy as np
import pytest

from protonet.onnx.conversion import CONVERTERS, Graph, converts


def test_names_are_given_once() -> None:
    graph = Graph()
    assert [graph.unique("a") for _ in range(3)] == ["a", "a_2", "a_3"]
    assert graph.constant(np.ones(2), "a") == "a_4"


def test_an_array_is_stored_once_for_each_shape() -> None:
    graph, array = Graph(), np.arange(6.0)
    assert graph.param(array, "w") == graph.param(array, "v") == "w"
    assert graph.param(array.reshape(2, 3), "v") == "v"
    assert [tuple(each.dims) for each in graph.constants] == [(6,), (2, 3)]


def test_a_second_converter_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(CONVERTERS, "Odd", lambda _: "")
    with pytest.raises(AssertionError, match="Odd has two converters"):
        converts("Odd")(lambda _: "")
