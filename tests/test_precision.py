"""The types of values: what their names mean, and how they round."""

from __future__ import annotations

import numpy as np
import pytest

from protonet.precision import PRECISIONS, is_low_precision, real_of, type_of


@pytest.mark.parametrize(
    ("name", "bits", "places"), [("float32", 32, 24), ("float16", 16, 11), ("bfloat16", 16, 8)]
)
def test_names_mean_types_of_so_many_places(name: str, bits: int, places: int) -> None:
    dtype = type_of(name)
    assert name in PRECISIONS
    assert (dtype.name, dtype.itemsize * 8, is_low_precision(dtype)) == (name, bits, bits == 16)
    just_above = np.array([1 + 2.0 ** (1 - places), 1 + 2.0**-places], np.float32).astype(dtype)
    assert just_above.astype(np.float64).tolist() == [1 + 2.0 ** (1 - places), 1.0]


@pytest.mark.parametrize("name", [*PRECISIONS, "float64"])
def test_what_is_of_16_bits_is_computed_in_float32(name: str) -> None:
    assert real_of(type_of(name)).name == ("float64" if name == "float64" else "float32")
