"""Early stopping: training ends when the validation metric stops improving."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from protonet.train.events import Event, Started, Tested
from protonet.train.listeners.metrics import by_name, figure, objective


class EarlyStop:
    """Calls ``finish`` after ``patience`` consecutive tests without improvement.

    The metric is that of the first test net: its last accuracy, else its loss.

    Args:
        patience: consecutive tests without improvement, 1 or more.
        finish: ends the training.
        past: takes the iteration at which a training starts; returns iterations and metrics of
            its earlier tests.
        since: returns the iteration up to which tests do not count towards the patience: that at
            which the training was prolonged.
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
        """Evaluate a test; end the training when the patience is exhausted."""
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
