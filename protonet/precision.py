"""The types that a net's values may have: float32, and two of 16 bits that are rounded to it."""

from __future__ import annotations

from typing import Any

import numpy as np

PRECISIONS = ("float32", "float16", "bfloat16")
"""What ``--precision`` takes."""

FLOAT32 = np.dtype(np.float32)
FLOAT16 = np.dtype(np.float16)


def type_of(name: str) -> np.dtype[Any]:
    """The type that a name of ``PRECISIONS`` means. NumPy has no bfloat16 of its own."""
    if name == "bfloat16":
        import ml_dtypes

        bfloat16: np.dtype[Any] = np.dtype(ml_dtypes.bfloat16)
        return bfloat16
    found: np.dtype[Any] = np.dtype(name)
    return found


def is_narrow(dtype: Any) -> bool:
    """Whether values of a type are kept in 16 bits, and computed with in float32."""
    return bool(np.dtype(dtype).itemsize == 2)


def real_of(dtype: Any) -> np.dtype[Any]:
    """The type in which values of a type are computed with, and parameters and statistics kept."""
    return FLOAT32 if is_narrow(dtype) else np.dtype(dtype)
