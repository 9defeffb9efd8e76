"""The checks of constructors' arguments."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest

from protonet.errors import LayerError
from protonet.torch7.arguments import fitted, flag, real, whole


def test_values_and_defaults() -> None:
    assert (real("p", 0.5), real("p", None, 2)) == (0.5, 2)
    assert (whole("n", 3.0), whole("n", None, 7)) == (3, 7)
    assert isinstance(whole("n", 3.0), int)
    assert (flag("ip", True), flag("ip", None), flag("ip", None, True)) == (True, False, True)


@pytest.mark.parametrize(
    ("check", "value", "message"),
    [
        (real, None, "n must be a number, got nil"),
        (real, True, "n must be a number, got True"),
        (whole, "x", "n must be a number, got x"),
        (whole, 1.5, "n must be a whole number, got 1.5"),
        (whole, 1e39, r"n is too large: 1e\+39"),
        (whole, math.inf, "n must be a whole number, got inf"),
        (lambda name, value: whole(name, value, least=1), 0, "n must be 1 or more, got 0"),
        (flag, 1, "n must be true or false, got 1"),
    ],
)
def test_what_is_refused(
    check: Callable[[str, object], object], value: object, message: str
) -> None:
    with pytest.raises(LayerError, match=message):
        check("n", value)


def test_arguments_are_fitted_to_a_function() -> None:
    def function(a: int, b: int = 2) -> None: ...

    assert list(fitted("nn.X", function, [1, None, 3])) == [1, None]
    assert list(fitted("nn.X", lambda *given: given, [1, 2, 3])) == [1, 2, 3]
    for given in ([], [None, 2]):
        with pytest.raises(LayerError, match=r"nn.X: argument 1, a, is nil"):
            fitted("nn.X", function, given)
