"""Training ends where validation no longer gets better."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from protonet.train.events import Event, Started, Tested
from protonet.train.listeners.metrics import by_name, figure, objective


class EarlyStop:
    """Calls ``finish`` after ``patience`` tests in a row without a better figure.

    The figure is that of the first test net: its last accuracy, else its loss.

    Args:
        patience: tests that may be no better, 1 or more.
        finish: ends the training well.
        past: given the iteration at which a training begins, the figures of the tests that it
            has behind it.
    """

    def __init__(
        self,
        patience: int,
        finish: Callable[[], None],
        past: Callable[[int], Iterable[float | None]],
    ) -> None:
        self.patience = patience
        self._finish, self._past = finish, past
        self._best: float | None = None
        self._waited = 0

    def __call__(self, event: Event) -> None:
        """Look at a test; end the training where patience is over."""
        if isinstance(event, Started):
            for value in self._past(event.iteration):
                self._take(value)
        if not isinstance(event, Tested) or event.net != 0:
            return
        self._take(figure(by_name(event.outputs), objective(event.outputs)))
        if self._waited >= self.patience:
            self._finish()

    def _take(self, value: float | None) -> None:
        if value is not None and (self._best is None or value < self._best):
            self._best, self._waited = value, 0
        else:
            self._waited += 1
