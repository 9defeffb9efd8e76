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
        past: given the iteration at which a training begins, the iterations and figures of the
            tests that it has behind it.
        since: the iteration up to which no test counts as one that was no better: where the
            training was prolonged.
    """

    def __init__(
        self,
        patience: int,
        finish: Callable[[], None],
        past: Callable[[int], Iterable[tuple[int, float | None]]],
        since: Callable[[], int] = lambda: -1,
    ) -> None:
        self.patience = patience
        self._finish, self._past, self._since = finish, past, since
        self._counts_after = -1
        self._best: float | None = None
        self._waited = 0

    def __call__(self, event: Event) -> None:
        """Look at a test; end the training where patience is over."""
        if isinstance(event, Started):
            self._counts_after = self._since()
            for iteration, value in self._past(event.iteration):
                self._take(iteration, value)
        if not isinstance(event, Tested) or event.net != 0:
            return
        self._take(event.iteration, figure(by_name(event.outputs), objective(event.outputs)))
        if self._waited >= self.patience:
            self._finish()

    def _take(self, iteration: int, value: float | None) -> None:
        if value is not None and (self._best is None or value < self._best):
            self._best, self._waited = value, 0
        elif iteration > self._counts_after:
            self._waited += 1
        else:
            self._waited = 0
