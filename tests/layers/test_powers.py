"""Power, Exp, Log: edge values and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from protonet.errors import LayerError
from tests.layers.elements import run, slopes


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ("", [-2.0, 0.0, 3.0]),
        ("scale: 2 shift: 1", [-3.0, 1.0, 7.0]),
        ("power: 2 shift: 1", [1.0, 1.0, 16.0]),
        ("power: 3", [-8.0, 0.0, 27.0]),
        ("power: 0 scale: 5", [1.0, 1.0, 1.0]),
        ("power: 2 scale: 0 shift: -3", [9.0, 9.0, 9.0]),
    ],
)
def test_power(fields: str, expected: list[float]) -> None:
    assert run(f'type: "Power" power_param {{ {fields} }}', -2, 0, 3) == expected


def test_power_has_a_gradient_at_zero_where_caffe_has_none() -> None:
    assert slopes('type: "Power" power_param { power: 3 }', 0, 2) == [0.0, 12.0]


def test_power_without_a_real_constant_is_refused() -> None:
    with pytest.raises(LayerError) as caught:
        run('type: "Power" power_param { power: 0.5 scale: 0 shift: -1 }', 1)
    assert str(caught.value) == (
        "with scale 0 every value would be shift ^ power = -1 ^ 0.5, "
        "which is not a finite real number"
    )
    assert caught.value.path == ("power_param",)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ('type: "Exp"', [1.0, np.e, 1 / np.e]),
        ('type: "Exp" exp_param { base: 2 scale: 3 shift: 1 }', [2.0, 16.0, 0.25]),
        ('type: "Exp" exp_param { base: 0.5 }', [1.0, 0.5, 2.0]),
        ('type: "Log" log_param { shift: 2 }', [np.log(2), np.log(3), 0.0]),
        ('type: "Log" log_param { base: 10 scale: 9 shift: 10 }', [1.0, np.log10(19), 0.0]),
    ],
)
def test_exponentials_and_logarithms(fields: str, expected: list[float]) -> None:
    np.testing.assert_allclose(run(fields, 0, 1, -1), expected, rtol=1e-12)


@pytest.mark.parametrize(
    ("kind", "base", "message"),
    [
        ("Exp", "0", "expected a base above 0, or -1 for e, got 0"),
        ("Exp", "-2", "expected a base above 0, or -1 for e, got -2"),
        ("Log", "-0.5", "expected a base above 0, or -1 for e, got -0.5"),
        ("Log", "1", "there is no logarithm to the base 1"),
    ],
)
def test_bases_that_cannot_be(kind: str, base: str, message: str) -> None:
    field = f"{kind.lower()}_param"
    with pytest.raises(LayerError) as caught:
        run(f'type: "{kind}" {field} {{ base: {base} }}', 1)
    assert (str(caught.value), caught.value.path) == (message, (field, "base"))


def test_the_slope_of_a_logarithm_far_from_zero() -> None:
    assert slopes('type: "Log" log_param { scale: 2 }', 4) == [0.25]
