"""The running mean of the loss that Caffe prints (``average_loss``)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass
class SmoothedLoss:
    """The mean of the last ``window`` losses; ``value`` is NaN before the first."""

    window: int
    losses: list[float] = field(default_factory=list)
    _next: int = 0

    def add(self, loss: float) -> None:
        """Add the loss of one iteration."""
        if len(self.losses) < self.window:
            self.losses.append(loss)
        else:
            self.losses[self._next] = loss
            self._next = (self._next + 1) % self.window

    @property
    def value(self) -> float:
        """The mean of the losses in the window."""
        return sum(self.losses) / len(self.losses) if self.losses else float("nan")

    def state(self) -> dict[str, Any]:
        """The losses in the window and the index of the next, for an exact resume."""
        return {"window": self.losses, "next": self._next}

    def restore(self, state: dict[str, Any]) -> None:
        """Restore a ``state``."""
        self.losses, self._next = list(state["window"]), int(state["next"])
