"""HDF5Output: what reaches it goes to a file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from protonet.blob import Array, Shape
from protonet.errors import LayerError
from protonet.formats.hdf5 import RowWriter
from protonet.layers.base import Layer, shape_text
from protonet.layers.registry import register

_PARAM = "hdf5_output_param"


@register("HDF5Output")
class HDF5Output(Layer):
    """Writes its bottoms to the datasets ``data`` and ``label`` of an HDF5 file.

    Bottom:
        0: data, N x ...; 1: label, N x ...
    Top:
        none.
    Params:
        none.
    Spec:
        hdf5_output_param: file_name.
    Raises:
        LayerError: without file_name, or for bottoms with different numbers of items.
        UsageError: without h5py, or when the file cannot be written.
    Differs:
        Rows of every pass are added to the datasets; Caffe's hold the last pass. While it is
        written the file has the name with .part behind it; the end of the net gives it its own
        name. Needs the extra hdf5.
    """

    bottoms = (2, 2)
    tops = (0, 0)
    no_gradient = frozenset({0, 1})
    backward_reads = frozenset()

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self._writer: RowWriter | None = None

    def setup(self) -> None:
        if not self.spec.hdf5_output_param.file_name:
            raise LayerError(f"{_PARAM} needs a file_name", (_PARAM,))
        self.path = Path(self.spec.hdf5_output_param.file_name)

    def infer(self, shapes: Sequence[Shape]) -> list[Shape]:
        data, label = shapes
        if not data or not label or data[0] != label[0]:
            raise LayerError(
                f"expected as many items in both bottoms, got {shape_text(data)} and "
                f"{shape_text(label)}",
                ("bottom", 1),
            )
        return []

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        if self._writer is None:
            self._writer = RowWriter(self.path)
        data, label = (np.asarray(self.device.get(bottom)) for bottom in bottoms)
        self._writer.add({"data": data, "label": label})

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None
