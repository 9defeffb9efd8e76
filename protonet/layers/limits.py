"""How large a blob may be: Caffe's limits."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from protonet.blob import Shape
from protonet.errors import LayerError
from protonet.layers.base import Weight, shape_text

MOST_AXES = 32
MOST_NUMBERS = 2**31 - 1
"""The limit for elements of a blob and for counts in fields: Caffe uses 32-bit integers
(BVLC/caffe, include/caffe/blob.hpp and src/caffe/blob.cpp)."""


def check_limits(tops: Iterable[Shape], weights: Iterable[Weight]) -> None:
    """Raise LayerError if a top or a parameter exceeds the limits of a blob.

    After this check, elements can be counted in 32 bits.
    """
    for place, shape in enumerate(tops):
        _check(f"top {place}", shape, ("top", place))
    for place, weight in enumerate(weights):
        _check(f"parameter {place}", weight.shape, ())


def check_numbers(given: Iterable[int], path: Sequence[str | int]) -> None:
    """Raise LayerError if a kernel, stride, pad or the like is negative or exceeds 32 bits, as in
    Caffe.
    """
    for number in given:
        if number < 0:
            raise LayerError(f"expected a {path[-1]} of 0 or more, got {number:,}", path)
        if number > MOST_NUMBERS:
            raise LayerError(
                f"expected a {path[-1]} of at most 2^31 - 1 ({MOST_NUMBERS:,}), got {number:,}",
                path,
            )


def _check(what: str, shape: Sequence[int], path: Sequence[str | int]) -> None:
    if len(shape) > MOST_AXES:
        raise LayerError(
            f"{what} would have {len(shape)} axes; a blob has at most {MOST_AXES}", path
        )
    count = math.prod(shape)
    if count > MOST_NUMBERS or max(shape, default=0) > MOST_NUMBERS:
        raise LayerError(
            f"{what} of shape {shape_text(tuple(shape))} would have {count:,} elements; a blob "
            f"has at most 2^31 - 1 ({MOST_NUMBERS:,})",
            path,
        )
