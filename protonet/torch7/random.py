"""Torch7's random numbers, and what is written to tensors later.

The formulas are those of lib/TH/THRandom.c and lib/TH/generic/THTensorRandom.c of torch7.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from protonet.torch7.objects import DTYPES, Tensor

_CHUNK = 2**20
"""Numbers drawn at once: bounds the memory for intermediate values."""
_MODULUS = {
    "Byte": 2**8,
    "Char": 2**7,
    "Short": 2**15,
    "Int": 2**31,
    "Float": 2**24 + 1,
    "Cuda": 2**24 + 1,
}
"""``tensor:random()`` is a number of 32 bits modulo this."""

RANDOM = (
    "uniform", "normal", "bernoulli", "random", "bits", "exponential", "cauchy", "logNormal",
    "geometric",
)  # fmt: skip
"""Distributions: of [a, b); of mean a and standard deviation b; 1 with probability a; whole
numbers from a to b; whole numbers of the type's range; of rate a; of median a and scale b; whose
logarithms are normal; of the number of trials, as Torch7 has it.
"""
_ROUNDED = ("uniform", "normal", "exponential", "cauchy", "logNormal")
"""Distributions whose a and b are rounded to the type first."""


_REAL: dict[str, Callable[..., np.ndarray]] = {
    "exponential": lambda u, a, _: -1 / a * np.log(1 - u),
    "cauchy": lambda u, a, b: a + b * np.tan(math.pi * (u - 0.5)),
    "geometric": lambda u, a, _: np.floor(np.log(1 - u) / math.log(a)) + 1,
}
"""Functions of numbers of [0, 1)."""


class Numbers:
    """A stream of random numbers: the Mersenne twister MT19937, seeded as Torch7 does.

    Args:
        seed: of which 32 bits count.
    """

    def __init__(self, seed: int = 42) -> None:
        self.seed = seed
        self.drawn = 0
        self._bits = np.random.MT19937()
        self._bits.state = _seeded(seed)
        self.spare: tuple[float, float] | None = None
        """Angle and radius of a pair of normal numbers of which the first was given."""

    def skip(self, count: int) -> None:
        """Go on as after ``count`` numbers of 32 bits."""
        while count > 0:
            step = min(count, _CHUNK)
            self.words(step)
            count -= step

    def words(self, count: int) -> np.ndarray:
        """The next numbers of 32 bits."""
        self.drawn += count
        found: np.ndarray = self._bits.random_raw(count)
        return found

    def unit(self, count: int) -> np.ndarray:
        """Numbers of [0, 1) in steps of 2^-32."""
        return self.words(count) * (1 / 4294967296)

    def values(self, distribution: str, count: int, a: float, b: float, kind: str) -> np.ndarray:
        """Numbers of a distribution of ``RANDOM``, before they are rounded to a type."""
        if distribution == "uniform":
            return self.unit(count) * (b - a) + a
        if distribution == "normal":
            return self._normal(count) * b + a
        if distribution in _REAL:
            return _REAL[distribution](self.unit(count), a, b)
        if distribution == "logNormal":
            return np.exp(self._normal(count) * b + a)
        if distribution == "bernoulli":
            return (self.unit(count) <= a).astype(np.float64)
        words = self.words(count)
        if distribution == "random":
            return words % np.uint64(b + 1 - a) + a
        return words % np.uint64(_MODULUS.get(kind, 2**53 + 1))

    def _normal(self, count: int) -> np.ndarray:
        """Normal numbers by the method of Box and Muller: pairs, whose second may be kept."""
        kept = [] if self.spare is None else [self.spare[1] * math.sin(self.spare[0])]
        kept = kept[:count]
        pairs = (count - len(kept) + 1) // 2
        unit = self.unit(2 * pairs)
        angle = 2 * math.pi * unit[0::2]
        radius = np.sqrt(-2 * np.log(1 - unit[1::2]))
        both = np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1).reshape(-1)
        if count:
            odd = (count - len(kept)) % 2
            self.spare = (float(angle[-1]), float(radius[-1])) if odd else None
        return np.concatenate([kept, both])[:count]


def _seeded(seed: int) -> Any:
    """The state of a twister that was seeded with a number of 32 bits, as of 2002."""
    return np.random.RandomState(seed & 0xFFFFFFFF).get_state(legacy=False)


@dataclass(frozen=True, eq=False)
class Pending:
    """A write that was not made yet: a distribution of ``RANDOM``; ``fill``, ``add``, ``mul`` or
    ``div`` with the number ``a``; or ``copy`` from the tensor ``source``.
    """

    tensor: Tensor
    kind: str
    a: float = 0.0
    b: float = 0.0
    source: Tensor | None = None


class Generator:
    """Torch7's generator. Tensors are filled when somebody reads them, in the order of the draws.

    The numbers are the same as if they were drawn at once: all that changes a tensor with pending
    draws either joins the queue or reads the tensor, which settles the queue.
    """

    def __init__(self, seed: int = 42) -> None:
        self.numbers = Numbers(seed)
        self.pending: list[Pending] = []

    def manual_seed(self, seed: int) -> None:
        """Start again with this seed."""
        self.settle()
        self.numbers = Numbers(seed)

    def draw(self, tensor: Tensor, distribution: str, a: float = 0.0, b: float = 1.0) -> None:
        """Fill a tensor with a distribution of ``RANDOM``.

        Those of reals have a and b rounded to the tensor's type first.
        """
        if distribution in _ROUNDED:
            a, b = (float(DTYPES[tensor.kind].type(number)) for number in (a, b))
        if tensor.count:
            self.enqueue(Pending(tensor, distribution, a, b))

    def write(self, tensor: Tensor, kind: str, number: float) -> None:
        """Fill a tensor with a number, or add, multiply or divide by it; later if draws pend."""
        if not tensor.count or tensor.storage is None:
            return
        if tensor.storage.settle is None:
            self._apply(Pending(tensor, kind, number))
        else:
            self.enqueue(Pending(tensor, kind, number))

    def copy(self, tensor: Tensor, source: Tensor) -> None:
        """Copy the elements of a tensor of as many elements; later if draws of either pend."""
        stores = [each.storage for each in (tensor, source) if each.storage is not None]
        pends = any(storage.settle is not None for storage in stores)
        copying = Pending(tensor, "copy", source=source)
        if pends and tensor.count:
            self.enqueue(copying)
        elif tensor.count:
            self._apply(copying)

    def scalar(self, distribution: str, a: float, b: float) -> float:
        """One number now, as ``torch.uniform(a, b)`` gives it."""
        self.settle()
        return float(self.numbers.values(distribution, 1, a, b, "Double")[0])

    def permutation(self, count: int) -> np.ndarray:
        """The numbers 1..count in random order, as ``torch.randperm`` gives them."""
        self.settle()
        order = np.arange(1, count + 1)
        words = self.numbers.words(max(count - 1, 0))
        for place, step in enumerate(words % np.arange(count, 1, -1).astype(np.uint64)):
            other = place + int(step)
            order[place], order[other] = order[other], order[place]
        return order

    def settle(self) -> None:
        """Make all pending writes."""
        queue, self.pending = self.pending, []
        for each in queue:
            for tensor in (each.tensor, each.source):
                if tensor is not None and tensor.storage is not None:
                    tensor.storage.settle = None
        for each in queue:
            self._apply(each)

    def enqueue(self, each: Pending) -> None:
        """Make this write when somebody reads."""
        # Copies: the tensors may view another storage later, as getParameters makes them do
        source = None if each.source is None else replace(each.source)
        self.pending.append(replace(each, tensor=replace(each.tensor), source=source))
        for tensor in (each.tensor, each.source):
            if tensor is not None and tensor.storage is not None:
                tensor.storage.settle = self.settle

    def _apply(self, each: Pending) -> None:
        storage = each.tensor.storage
        assert storage is not None
        if each.kind in RANDOM:
            each.tensor.array[...] = self._drawn(each)
        elif each.kind == "copy":
            assert each.source is not None
            target = each.tensor.array
            target[...] = _as(each.source.array, target.dtype).reshape(target.shape)
        elif not (each.kind == "fill" and each.a == 0 and storage.untouched):
            _arithmetic(each.tensor.array, each.kind, each.a)

    def _drawn(self, each: Pending) -> np.ndarray:
        kind, count = each.tensor.kind, each.tensor.count
        drawn = np.empty(count, DTYPES[kind])
        for start in range(0, count, _CHUNK):
            part = drawn[start : start + _CHUNK]
            part[:] = self.numbers.values(each.kind, part.size, each.a, each.b, kind)
        return drawn.reshape(each.tensor.shape)


def _as(array: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Converted as C does: reals lose what is behind the point, large ones wrap around."""
    if array.dtype.kind == "f" and dtype.kind in "iu" and dtype.itemsize < 8:
        array = array.astype(np.int64)
    return array.astype(dtype, copy=False)


def _arithmetic(array: np.ndarray, kind: str, number: float) -> None:
    """Change an array in place. The number is converted to its type first, as Torch7 does."""
    value = _as(np.asarray(number, np.float64), array.dtype)
    if kind == "fill":
        array[...] = value
    elif kind == "add":
        array += value
    elif kind == "mul":
        array *= value
    elif array.dtype.kind == "f":
        array /= value
    else:
        array[...] = _as(array / value, array.dtype)
