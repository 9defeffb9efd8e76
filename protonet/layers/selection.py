"""Filter: selects items by a bottom."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from protonet.blob import Array, Shape
from protonet.errors import LayerError
from protonet.kernels.rows import take_rows
from protonet.layers.base import Layer, Traits, shape_text
from protonet.layers.registry import register


@register("Filter")
class Filter(Layer):
    """Each y has the items of its x where the selector is not 0, in order.

    Gradient: dx of a selected item is its dy, of others 0.

    Bottom:
        x_0 to x_(k-1): N x ... each; selector, the last bottom: N values, which gets no
        gradient.
    Top:
        y_0 to y_(k-1): M x ... each, with M the number of selected items.
    Params:
        none.
    Spec:
        no fields of its own.
    Raises:
        LayerError: for a wrong number of tops, bottoms with numbers of items other than that of
        the selector, or a selector of more than one value per item.
    Differs:
        Losses after it give 0 where nothing is selected; Caffe's give NaN.
        The first pass selects too; Caffe's first sizes the tops for all items.
    """

    bottoms = (2, None)
    tops = (1, None)
    traits = Traits(backward_reads=frozenset(), dynamic=True)

    def setup(self) -> None:
        self.no_gradient = frozenset({len(self.spec.bottom) - 1})
        count = len(self.spec.bottom) - 1
        if len(self.spec.top) != count:
            raise LayerError(
                f"expected one top for each of the {count} bottom(s) before the selector, got "
                f"{len(self.spec.top)}",
                ("top", count) if len(self.spec.top) > count else (),
            )

    def infer(self, shapes: Sequence[Shape]) -> list[Shape]:
        *values, selector = shapes
        if not selector or any(extent != 1 for extent in selector[1:]):
            raise LayerError(
                f"expected a selector of N or N x 1 x ... values, got {shape_text(selector)}",
                ("bottom", len(values)),
            )
        for place, shape in enumerate(values):
            if shape[:1] != selector[:1]:
                raise LayerError(
                    f"expected {selector[0]} items in '{self.spec.bottom[place]}', as the selector "
                    f"'{self.spec.bottom[-1]}' has, got {shape_text(shape)}",
                    ("bottom", place),
                )
        return list(values)

    def measure(self, bottoms: Sequence[Array]) -> list[Shape]:
        """Read the selector on the host; synchronizes with a GPU."""
        selector = np.asarray(self.device.get(bottoms[-1])).reshape(-1)
        self._rows = self.xp.asarray(np.flatnonzero(selector))
        return [(len(self._rows), *bottom.shape[1:]) for bottom in bottoms[:-1]]

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        for x, y in zip(bottoms[:-1], tops, strict=True):
            take_rows(self.xp, x, self._rows, y)

    def backward(
        self,
        dtops: Sequence[Array],
        bottoms: Sequence[Array],
        tops: Sequence[Array],
        dbottoms: Sequence[Array | None],
    ) -> None:
        for dy, dx in zip(dtops, dbottoms[:-1], strict=True):
            if dx is not None:
                dx.fill(0.0)
                dx[self._rows] = dy
