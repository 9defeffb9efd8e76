"""Base of the layers that load images with boxes, for MS-CNN and Cascade R-CNN."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from protonet.blob import Array, Shape
from protonet.data.box_labels import CHANNELS, Level
from protonet.data.box_list import BoxList, read_boxes
from protonet.data.box_source import BoxBatch, BoxSource, BoxTransform, Size
from protonet.errors import LayerError
from protonet.layers.base import Traits
from protonet.layers.batches import StreamLayer, refuse_transform

_ROW = 8
"""Of a box: item, xmin, ymin, xmax, ymax, class, ignored, difficult."""


class BoxData(StreamLayer):
    """Base of the layers that load images with boxes."""

    bottoms = (0, 0)
    tops: ClassVar[tuple[int, int | None]] = (1, None)
    traits = Traits(dynamic=True)
    field: ClassVar[str]
    strides: ClassVar[str] = ""
    """The field of the maps' strides; empty for layers without maps."""
    row: ClassVar[int] = _ROW
    """How many of the numbers of a box are told."""
    nothing: ClassVar[tuple[float, ...]] = (-1,) * _ROW
    """The row of a batch without boxes."""

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.source: BoxSource | None = None
        self._taken: BoxBatch | None = None

    @property
    def param(self) -> Any:
        """The layer's own message."""
        return getattr(self.spec, self.field)

    def setup(self) -> None:
        param = self.param
        for name in ("source", "batch_size"):
            if not getattr(param, name):
                raise LayerError(f"{self.field} needs a {name}", (self.field,))
        refuse_transform(self.spec, frozenset({"scale", "mirror", "mean_value"}))
        self.batch_size = int(param.batch_size)
        self.levels = self._read_levels()
        self._check_tops()
        self.transform = self.make_transform()
        self.listed = self.open_list()
        self._size = self.transform.canvas(self.first_size(), 0)
        self._count = 1

    def open_list(self) -> BoxList:
        """Read the list of images."""
        param, context = self.param, self.context
        return read_boxes(
            context.find(param.source),
            difficult=self.row == _ROW,
            root=param.root_folder,
            folder=context.folder,
        )

    def first_size(self) -> Size:
        """The size that the first image has after resizing."""
        height, width = self.listed.read(0).shape[1:]
        return self.transform.size((height, width), 0)

    def make_transform(self) -> BoxTransform:
        """What happens to images."""
        raise NotImplementedError

    @property
    def order(self) -> str:
        """How the list is shuffled."""
        return ""

    @property
    def extra(self) -> int:
        """How many tops come after images and maps."""
        return int(self.param.output_gt_boxes)

    def _check_tops(self) -> None:
        expected = 1 + len(self.levels) + self.extra
        if len(self.spec.top) != expected:
            raise LayerError(
                f"expected {expected} tops: images"
                + (f", {len(self.levels)} maps" if self.strides else "")
                + (" and boxes" if self.extra else "")
                + f"; got {len(self.spec.top)}",
                ("top",),
            )

    def _read_levels(self) -> list[Level]:
        if not self.strides:
            return []
        fields = [list(getattr(self.param, each)) for each in (self.strides, "field_w", "field_h")]
        if len({len(each) for each in fields}) > 1 or any(0 in each for each in fields):
            raise LayerError(
                f"expected as many {self.strides} as field_w and field_h, each above 0, got "
                f"{' and '.join(str(len(each)) for each in fields)}",
                (self.field,),
            )
        if self.param.coord_num != 4:
            raise LayerError(
                f"expected coord_num 4, got {self.param.coord_num}", (self.field, "coord_num")
            )
        return [Level(*each) for each in zip(*fields, strict=True)]

    def read_mean(self) -> np.ndarray | None:
        """The mean of transform_param, (3, 1, 1)."""
        values = list(self.spec.transform_param.mean_value)
        if len(values) not in (0, 1, 3):
            raise LayerError(
                f"expected 1 mean_value or one for each of 3 channels, got {len(values)}",
                ("transform_param", "mean_value"),
            )
        if not values:
            return None
        return np.array(values * (3 // len(values)), np.float32)[:, None, None]

    def read_scale(self) -> float:
        """The scale, of transform_param or of the layer's own message."""
        transform = self.spec.transform_param
        if self.param.HasField("scale") and transform.HasField("scale"):
            raise LayerError(
                f"scale is given in {self.field} and in transform_param; give one of them",
                (self.field, "scale"),
            )
        return float(self.param.scale if self.param.HasField("scale") else transform.scale)

    def infer(self, shapes: Sequence[Shape]) -> list[Shape]:
        tops: list[Shape] = [(self.batch_size, 3, *self._size)]
        tops += [(self.batch_size, CHANNELS, *each.grid(self._size)) for each in self.levels]
        tops += [(self._count, self.row, 1, 1), (self.batch_size, 2, 1, 1)]
        return tops[: len(self.spec.top)]

    def build(self, shapes: Sequence[Shape]) -> None:
        param, context = self.param, self.context
        self.source = BoxSource(
            self.listed,
            self.transform,
            self.batch_size,
            order=self.order,
            group=max(1, getattr(param, "mix_group_size", 1)),
            cache=getattr(param, "cache_images", False),
            seed=context.seed,
            name=self.name,
            threads=context.threads,
        )

    def measure(self, bottoms: Sequence[Array]) -> list[Shape]:
        """Load the next batch, which determines all shapes."""
        assert self.source is not None, "build comes before measure"
        self._taken = self.source.take()
        self._size = (self._taken.images.shape[2], self._taken.images.shape[3])
        self._count = max(1, len(self._taken.rows))
        return self.infer([])

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        assert self._taken is not None, "measure comes before forward"
        batch, self._taken = self._taken, None
        rows = batch.rows[:, : self.row] if len(batch.rows) else np.array([self.nothing], float)
        for host, top in zip(
            (batch.images, *batch.maps, rows, batch.sizes), tops, strict=False
        ):  # fmt: skip
            self.device.put(host.reshape(top.shape).astype(top.dtype), top)
