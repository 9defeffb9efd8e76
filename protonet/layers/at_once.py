"""Layers that are computed at once."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

from protonet.blob import Array
from protonet.kernels.kernel import Call


class AtOnce(ABC):
    """Layers whose forward passes are one call of a kernel."""

    _kernel: Any

    @abstractmethod
    def _arguments(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> tuple[Any, ...]:
        """Of the kernel."""

    def settled(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> Call | None:
        """As of ``PackingLayer``."""
        call: Call | None = self._kernel.call(*self._arguments(bottoms, tops))
        return call

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        """Write the top of the last; ``bottoms`` are that of the first, and what the last adds."""
        self._kernel.forward(*self._arguments(bottoms, tops))
