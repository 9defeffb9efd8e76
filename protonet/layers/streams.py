"""What nets ask of layers whose tops come from a stream of data; imports no data."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from protonet.blob import Shape
from protonet.ranks.communicator import Part


@runtime_checkable
class Varying(Protocol):
    """A layer without bottoms whose tops may have other shapes in the next pass. A net prepares
    its passes once for each.
    """

    def upcoming(self) -> list[Shape]:
        """The shapes of the tops in the next pass."""

    def upcoming_part(self) -> Part | None:
        """The part of the next batch that this rank computes; None for all."""

    def variants(self) -> list[list[Shape]]:
        """All shapes that the tops may have, the usual ones first."""


@runtime_checkable
class Skipping(Protocol):
    """A layer with state that can be as after passes that were not made."""

    can_skip: bool
    """Whether it can."""

    def skip(self, passes: int) -> None:
        """Go on by so many passes."""


@runtime_checkable
class Sharing(Protocol):
    """A layer that may deliver a part of every batch."""

    part: Part | None
    """Of every batch, what this rank delivers; None for all."""
