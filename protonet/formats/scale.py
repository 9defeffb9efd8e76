"""The numbers along an axis of a chart, and which of them are marked."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

_MARGIN = 0.05
_GREATEST = 1e300
_MOST_INTERVALS = 9
_FEW_DECADES = 3


@dataclass(frozen=True)
class Scale:
    """The numbers from the low end of an axis to its high one, or their decimal logarithms."""

    low: float
    high: float
    is_log: bool = False

    @classmethod
    def around(cls, values: Sequence[float], *, is_log: bool = False) -> Scale:
        """One with a margin around all values, which are positive where it is logarithmic."""
        places = [_place(value, is_log) for value in values] or [0.0]
        low, high = min(places), max(places)
        size = max(-low, high)
        if high - low > max(1e-9 * size, 1 / _GREATEST):
            pad = max(_MARGIN * (high - low), 1e-4 * size)
        else:
            pad = _MARGIN * (size if size > 1 / _GREATEST else 1.0)
        return cls(low - pad, high + pad, is_log)

    def share(self, value: float) -> float:
        """Where a value lies: 0 at the low end, 1 at the high one."""
        return (_place(value, self.is_log) - self.low) / (self.high - self.low)

    def ticks(self) -> list[tuple[float, str]]:
        """The values that are marked, and their texts."""
        return self._log_ticks() if self.is_log else self._even_ticks()

    def between(self) -> list[float]:
        """The multiples of powers of ten on a logarithmic axis, unless it has many decades."""
        if not self.is_log or self.high - self.low > _MOST_INTERVALS:
            return []
        return [value for number in range(2, 10) for value in self._multiples(number)]

    def _even_ticks(self) -> list[tuple[float, str]]:
        least = (self.high - self.low) / _MOST_INTERVALS
        power = math.floor(math.log10(least))
        nice = next(each for each in (1, 2, 2.5, 5, 10, 20) if each * 10.0**power >= least)
        step = nice * 10.0**power
        digits = max(0, -power + (nice == 2.5) - (nice >= 10))
        is_plain = 1e-4 <= max(-self.low, self.high) < 1e7
        indices = range(math.ceil(self.low / step), math.floor(self.high / step) + 1)
        values = [index * step for index in indices]
        return [(each, f"{each:.{digits}f}" if is_plain else f"{each:.3g}") for each in values]

    def _log_ticks(self) -> list[tuple[float, str]]:
        if self.high - self.low < _FEW_DECADES:
            marked = sorted(value for number in (1, 2, 5) for value in self._multiples(number))
        else:
            marked = self._multiples(1)
            marked = marked[:: 1 + len(marked) // _MOST_INTERVALS]
        return [(value, f"{value:g}") for value in marked]

    def _multiples(self, number: int) -> list[float]:
        """The products of ``number`` and a power of ten that lie on the axis."""
        shift = math.log10(number)
        first, last = math.ceil(self.low - shift), math.floor(self.high - shift)
        return [float(f"{number}e{power}") for power in range(max(first, -307), last + 1)]


def _place(value: float, is_log: bool) -> float:
    """A value or its logarithm, so far from infinity that it can be computed with."""
    kept = min(max(value, -_GREATEST), _GREATEST)
    return math.log10(kept) if is_log else kept
