"""Functions of a user that are called around the passes of each layer of ``caffe.Net``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Hook = Callable[[int], Any]


class Hooked:
    """Registers and calls hooks; what they write to blobs is copied back after each."""

    _hooks: dict[str, list[Hook]]

    def before_forward(self, hook: Hook) -> None:
        """Call ``hook`` with the number of each layer before its forward pass."""
        self._hooks.setdefault("before_forward", []).append(hook)

    def after_forward(self, hook: Hook) -> None:
        """Call ``hook`` with the number of each layer after its forward pass."""
        self._hooks.setdefault("after_forward", []).append(hook)

    def before_backward(self, hook: Hook) -> None:
        """Call ``hook`` with the number of each layer before its backward pass."""
        self._hooks.setdefault("before_backward", []).append(hook)

    def after_backward(self, hook: Hook) -> None:
        """Call ``hook`` with the number of each layer after its backward pass."""
        self._hooks.setdefault("after_backward", []).append(hook)

    def _call(self, moment: str, index: int) -> None:
        for hook in self._hooks.get(moment, ()):
            hook(index)
            self._flush()

    def _flush(self) -> None:
        """Copy back modified host copies."""
        raise NotImplementedError
