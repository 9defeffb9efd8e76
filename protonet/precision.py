"""Mixed precision: float32, and the 16-bit types that values may be stored in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

PRECISIONS = ("float32", "float16", "bfloat16")
"""What ``--precision`` takes."""


def type_of(name: str) -> np.dtype[Any]:
    """The dtype of a name in ``PRECISIONS``. NumPy has no bfloat16; ml-dtypes provides it."""
    import numpy as np

    if name == "bfloat16":
        import ml_dtypes

        bfloat16: np.dtype[Any] = np.dtype(ml_dtypes.bfloat16)
        return bfloat16
    dtype: np.dtype[Any] = np.dtype(name)
    return dtype


def is_low_precision(dtype: Any) -> bool:
    """Whether a type has 16 bits: values are stored in it, and computed with in float32."""
    import numpy as np

    return bool(np.dtype(dtype).itemsize == 2)


def real_of(dtype: Any) -> np.dtype[Any]:
    """The type of computation, parameters and statistics for values of ``dtype``."""
    import numpy as np

    real: np.dtype[Any] = np.dtype(np.float32 if is_low_precision(dtype) else dtype)
    return real
