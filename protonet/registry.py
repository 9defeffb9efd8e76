"""Tables of classes by name: the only mutable globals of the package."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T", bound=type)


class Registry(dict[str, T]):
    """Classes by their name in texts.

    Args:
        kind: what is registered, for messages.
        attribute: the class attribute to set to the name.
    """

    def __init__(self, kind: str, attribute: str) -> None:
        super().__init__()
        self.kind = kind
        self.attribute = attribute

    def register(self, name: str) -> Callable[[T], T]:
        """Class decorator: register a class under ``name``; a duplicate is refused."""

        def enter(cls: T) -> T:
            if name in self:
                raise ValueError(
                    f"{self.kind} '{name}' is registered twice: {self[name]} and {cls}"
                )
            setattr(cls, self.attribute, name)
            self[name] = cls
            return cls

        return enter

    def names(self) -> list[str]:
        """All names, sorted."""
        return sorted(self)
