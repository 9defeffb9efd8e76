"""HDF5Data: batches of rows of HDF5 files."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from protonet.blob import Array, Shape
from protonet.data.hdf5 import RowSource, listed_files
from protonet.errors import LayerError
from protonet.layers.batches import StreamLayer
from protonet.layers.registry import register

_PARAM = "hdf5_data_param"


@register("HDF5Data")
class HDF5Data(StreamLayer):
    """Batches of rows of HDF5 files: each top is the dataset of its name.

    Bottom:
        none.
    Top:
        one or more: N x the shape of a row, N the batch_size.
    Params:
        none.
    Spec:
        hdf5_data_param: source (a text file that lists HDF5 files, one a line), batch_size,
        shuffle (false).
    Raises:
        LayerError: without source or batch_size, or with a transform_param.
        DataError: for files or datasets that are absent, damaged, or do not fit together.
    Differs:
        The orders of shuffle are a function of the seed and the pass, so runs are reproducible. A
        row is part of a snapshot. Needs the extra hdf5.
    """

    bottoms = (0, 0)
    tops = (1, None)
    source: RowSource | None

    def setup(self) -> None:
        param = self.spec.hdf5_data_param
        if not param.source:
            raise LayerError(f"{_PARAM} needs a source, a text file of HDF5 files", (_PARAM,))
        if not param.batch_size:
            raise LayerError(f"{_PARAM} needs a batch_size of 1 or more", (_PARAM,))
        if self.spec.HasField("transform_param"):
            raise LayerError(
                "HDF5 rows are not transformed: store them transformed",
                ("transform_param",),
            )
        self.batch_size = int(param.batch_size)
        self.share_out()
        self.source = RowSource(
            listed_files(self.context.find(param.source)),
            list(self.spec.top),
            shuffle=param.shuffle or (self.context.shuffle and self.training),
            seed=self.context.seed,
            part=self.part,
        )

    def infer(self, shapes: Sequence[Shape]) -> list[Shape]:
        assert self.source is not None, "setup comes before infer"
        return [(self.batch_size, *shape) for shape in self.source.shapes]

    def build(self, shapes: Sequence[Shape]) -> None:
        self._staging: list[np.ndarray] = []
        if not self.device.is_cpu:
            self._staging = [self.device.pinned(shape) for shape in self.infer(())]

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        assert self.source is not None
        self.source.next(self._staging if self._staging else tops)
        for host, top in zip(self._staging, tops, strict=False):
            self.device.put(host, top)
