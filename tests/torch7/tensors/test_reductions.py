"""Sums, means and extremes."""

from __future__ import annotations

import numpy as np
import pytest

from protonet.errors import LayerError
from tests.torch7.tensors.calls import counted, f, m

A = np.arange(1.0, 7).reshape(2, 3)


def test_of_all_elements() -> None:
    a = counted(2, 3)
    found = [f(name, a) for name in ("sum", "mean", "prod", "max", "min")]
    assert found == [21, 3.5, 720, 6, 1]
    assert f("std", a) == pytest.approx(A.std(ddof=1))
    assert f("var", a) == pytest.approx(A.var(ddof=1))
    assert f("norm", a) == pytest.approx(np.linalg.norm(A))
    assert f("norm", a, 1) == 21
    assert m(f("gt", a, 5), "sum") == 1
    assert m(f("gt", a, 5), "any") is True


def test_along_a_dimension_which_stays_as_one() -> None:
    a = counted(2, 3)
    assert f("sum", a, 1).array.tolist() == [[5, 7, 9]]
    assert f("mean", a, 2).array.tolist() == [[2], [5]]
    assert f("std", a, 2).array.tolist() == [[1], [1]]
    values, places = f("max", a, 2)
    assert (values.array.tolist(), places.array.tolist()) == ([[3], [6]], [[3], [3]])
    assert f("cumsum", a, 2).array.tolist() == [[1, 3, 6], [4, 9, 15]]
    values, places = f("sort", a, 2, True)
    assert (values.array.tolist()[0], places.array.tolist()[0]) == ([3, 2, 1], [3, 2, 1])
    assert m(f("gt", a, 4), "nonzero").array.tolist() == [[2, 2], [2, 3]]
    assert m(a, "equal", counted(2, 3)) is True
    assert m(a, "equal", counted(6)) is False


def test_of_nothing() -> None:
    with pytest.raises(LayerError, match="max: the tensor is empty"):
        m(f("zeros"), "max")
