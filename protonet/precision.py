"""The types that a net's values may have: float32, and two of 16 bits that are rounded to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

PRECISIONS = ("float32", "float16", "bfloat16")
"""What ``--precision`` takes."""


def type_of(name: str) -> np.dtype[Any]:
    """The type that a name of ``PRECISIONS`` means. NumPy has no bfloat16 of its own."""
    import numpy as np

    if name == "bfloat16":
        import ml_dtypes

        bfloat16: np.dtype[Any] = np.dtype(ml_dtypes.bfloat16)
        return bfloat16
    found: np.dtype[Any] = np.dtype(name)
    return found


def is_narrow(dtype: Any) -> bool:
    """Whether values of a type are kept in 16 bits, and computed with in float32."""
    import numpy as np

    return bool(np.dtype(dtype).itemsize == 2)


def real_of(dtype: Any) -> np.dtype[Any]:
    """The type in which values of a type are computed with, and parameters and statistics kept."""
    import numpy as np

    real: np.dtype[Any] = np.dtype(np.float32 if is_narrow(dtype) else dtype)
    return real
