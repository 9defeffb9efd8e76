"""AnnotatedData: batches of images with boxes, for single-shot detectors."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from protonet.blob import Array, Shape
from protonet.data.annotated import (
    ROW,
    AnnotatedSource,
    AnnotatedTransform,
    read_annotated,
)
from protonet.data.database import Database
from protonet.data.prefetch import Batch
from protonet.data.sampling import check_samplers
from protonet.data.source import BATCHES_AHEAD
from protonet.errors import LayerError
from protonet.layers.base import Traits
from protonet.layers.batches import (
    FORKS,
    PLAIN,
    StreamLayer,
    mean_of,
    refuse_transform,
    shuffled,
    skipped,
    transformer_of,
)
from protonet.layers.registry import register
from protonet.layers.sharding import own_source, shard_of

_DONE = PLAIN | FORKS | {"force_color", "force_gray", "emit_constraint"}


@register("AnnotatedData")
class AnnotatedData(StreamLayer):
    """Batches of an LMDB or a LevelDB of AnnotatedDatum records: images with boxes.

    Bottom:
        none.
    Top:
        0: N x C x H x W, the images after transform_param.
        1 (optional): 1 x 1 x M x 8, a row for each box of the batch: item, class, instance, xmin,
        ymin, xmax, ymax, difficult; one row of -1 where there is none. N labels where the records
        say no type.
    Params:
        none.
    Spec:
        data_param: source, batch_size, rand_skip; shuffle and threads of NVIDIA's fork.
        annotated_data_param: batch_sampler, anno_type; label_map_file is not needed.
        transform_param: the fields of Data, and emit_constraint.
    Raises:
        LayerError: without source or batch_size, or for settings that contradict the records.
        DataError: for a database, record or mean that cannot be used.
    Differs:
        Images are not stored as JPEG between the steps. Images that differ in size from the first
        need a resize_param or a crop. Random values are a function of the seed and the record's
        number in the stream.
    """

    bottoms = (0, 0)
    tops = (1, 2)
    traits = Traits(dynamic=True)

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.database: Database | None = None
        self.source: AnnotatedSource | None = None
        self._taken: tuple[Batch, np.ndarray] | None = None

    def setup(self) -> None:
        param, transform = self.spec.data_param, self.spec.transform_param
        for field in ("source", "batch_size"):
            if not getattr(param, field):
                raise LayerError(f"data_param needs a {field}", ("data_param",))
        if transform.force_color and transform.force_gray:
            raise LayerError(
                "force_color and force_gray are both set", ("transform_param", "force_gray")
            )
        refuse_transform(self.spec, _DONE)
        if self.spec.annotated_data_param.yolo_data_type:
            raise LayerError(
                "yolo_data_type, the labels and crops of the YOLO forks, is not supported here",
                ("annotated_data_param", "yolo_data_type"),
                "batch_sampler and resize_param give the crops of the SSD fork",
            )
        check_samplers(self.spec.annotated_data_param.batch_sampler)
        self.batch_size = int(param.batch_size)
        self.share_out()
        self._color = True if transform.force_color else False if transform.force_gray else None
        self.database = Database(own_source(param, self.context))
        try:
            self.length = len(self.database)
            self._look()
        except BaseException:
            self.close()
            raise

    def _look(self) -> None:
        """The first record determines the shape, and whether there are boxes."""
        assert self.database is not None
        samplers = self.spec.annotated_data_param.batch_sampler
        first = read_annotated(
            self.database, self.database.keys()[0], color=self._color, boxes=self._boxes
        )
        self.transformer = transformer_of(self, first.image.shape, mean_of(self))
        if samplers and self.transformer.least is None:
            raise LayerError(
                "a batch_sampler gives windows of several sizes: a resize_param must follow",
                ("annotated_data_param", "batch_sampler"),
            )
        self.image_shape = self.transformer.output_shape
        self.shard = shard_of(self, self.spec.data_param, self.database.path, self.length)
        if self.shard is not None:
            self.length = self.shard.length
        self.has_boxes = first.has_boxes
        self._count = max(1, len(first.objects.boxes))

    @property
    def _boxes(self) -> bool:
        return bool(self.spec.annotated_data_param.HasField("anno_type"))

    def infer(self, shapes: Sequence[Shape]) -> list[Shape]:
        return self._shapes(self._count)

    def _shapes(self, count: int) -> list[Shape]:
        labels: Shape = (1, 1, count, ROW) if self.has_boxes else (self.batch_size,)
        images: Shape = (self.batch_size, *self.image_shape)
        return [images, labels][: len(self.spec.top)]

    def build(self, shapes: Sequence[Shape]) -> None:
        assert self.database is not None, "setup comes before build"
        param, context = self.spec.data_param, self.context
        self.source = AnnotatedSource(
            self.database,
            AnnotatedTransform(
                self.transformer,
                self.spec.transform_param,
                self.spec.annotated_data_param.batch_sampler,
            ),
            self.batch_size,
            color=self._color,
            boxes=self._boxes,
            typed=self.has_boxes and len(self.spec.top) > 1,
            shuffle=shuffled(self, param),
            seed=context.seed,
            part=self.part,
            shard=self.shard,
            skip=skipped(param.rand_skip, context.seed),
            threads=param.threads if param.threads else context.threads,
        )

    def cached_bytes(self) -> int:
        """The batches that are made ahead."""
        return BATCHES_AHEAD * self.batch_size * math.prod(self.image_shape) * 4

    def measure(self, bottoms: Sequence[Array]) -> list[Shape]:
        """Load the next batch, whose number of boxes determines the shape."""
        assert self.source is not None, "build comes before measure"
        batch, rows = self.source.take()
        self._taken = batch, rows if len(rows) else np.full((1, ROW), -1, np.float32)
        return self._shapes(len(self._taken[1]))

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        assert self.source is not None
        assert self._taken is not None, "measure comes before forward"
        (batch, rows), self._taken = self._taken, None
        self.device.put(batch.data, tops[0])
        if len(tops) > 1:
            labels = rows[None, None] if self.has_boxes else batch.labels
            self.device.put(labels, tops[1])
        self.source.give_back(batch)

    def close(self) -> None:
        super().close()
        if self.source is None and self.database is not None:
            self.database.close()
