"""The forward pass of a net that keeps its weights, without what layers do before they compute."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from protonet.kernels.kernel import Call
from protonet.layers.packed_weights import PackingLayer


class Settled:
    """Calls, once they have run, as those of the kernels' functions that they come to; until the
    weights of a layer change.
    """

    def __init__(self, calls: Iterable[Call]) -> None:
        self.calls = [_less(call, arguments) for call, arguments in calls]
        self._changes = PackingLayer.changes

    @property
    def holds(self) -> bool:
        """Whether no weights have changed since."""
        return self._changes == PackingLayer.changes


def _less(call: Callable[..., Any], arguments: tuple[Any, ...]) -> Call:
    """What a call of a layer's ``forward`` comes to."""
    owner: Any = getattr(call, "__self__", None)
    settled = getattr(owner, "settled", None)
    if settled is None or call != owner.forward:
        return call, arguments
    found: Call | None = settled(*arguments)
    return (call, arguments) if found is None else found
