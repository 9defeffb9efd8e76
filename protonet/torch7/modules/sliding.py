"""What modules with windows have in common: their numbers, and inputs without a batch axis."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from protonet.errors import LayerError
from protonet.torch7.builder import Blob, NetBuilder
from protonet.torch7.modules.base import Module


class Sliding(Module):
    """A module whose windows slide over the last axes of its input.

    ``axes`` has a letter for each of them, as the names of fields have: ``kW``, ``kH``.
    """

    axes: ClassVar[str] = "HW"

    def whole(self, least: int, **given: Any) -> None:
        """Set fields that must be whole numbers of at least ``least``.

        Raises:
            LayerError: for another value; names the argument.
        """
        for name, value in given.items():
            number = isinstance(value, int | float) and not isinstance(value, bool)
            if not number or value != int(value) or value < least:
                found = "nil" if value is None else value
                raise LayerError(
                    f"{self.object.typename}: {name} must be a whole number of {least} or more, "
                    f"got {found}"
                )
            self[name] = int(value)

    def steps(self, **given: int | None) -> None:
        """Set fields that must be whole numbers of at least 1, and are 1 where they are nil.

        Raises:
            LayerError: for another value; names the argument.
        """
        self.whole(1, **{name: 1 if value is None else value for name, value in given.items()})

    def extents(self, prefix: str, default: int | None = None) -> list[int]:
        """A number for each axis, such as ``kH`` and ``kW`` for ``k``."""
        return [self.integer(f"{prefix}{axis}", default) for axis in self.axes]

    def pads(self) -> list[int]:
        """The padding of each axis; old files have one number for all."""
        old = self.get("padding")
        return self.extents("pad", 0) if old is None else [int(old)] * len(self.axes)


def only(numbers: Sequence[int], default: int) -> list[int]:
    """Numbers of axes as a field of a layer: none for the default, one if all are equal."""
    if set(numbers) == {default}:
        return []
    return list(numbers[:1] if len(set(numbers)) == 1 else numbers)


def with_batch(net: NetBuilder, blob: Blob, axes: int) -> tuple[Blob, Callable[[Blob], Blob]]:
    """The input with ``axes`` axes, of which the first is the batch, and what makes an output of
    the same form as the input.

    Raises:
        LayerError: unless the input has that number of axes, or one less.
    """
    if len(blob.shape) == axes:
        return blob, lambda y: y
    if len(blob.shape) != axes - 1:
        raise LayerError(f"expected an input of {axes - 1} or {axes} axes, got {blob}")
    batch = insert_axis(net, blob, 0)
    return batch, lambda y: merge_axes(net, y, 0)


def insert_axis(net: NetBuilder, blob: Blob, axis: int) -> Blob:
    """The same values with one more axis, of extent 1."""
    return net.layer(
        "Reshape", blob, reshape_param={"shape": {"dim": [1]}, "axis": axis, "num_axes": 0}
    )


def merge_axes(net: NetBuilder, blob: Blob, axis: int) -> Blob:
    """The same values with an axis and the next one as one."""
    dim = blob.shape[axis] * blob.shape[axis + 1]
    return net.layer(
        "Reshape", blob, reshape_param={"shape": {"dim": [dim]}, "axis": axis, "num_axes": 2}
    )
