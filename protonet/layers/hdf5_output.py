"""HDF5Output: writes its bottoms to an HDF5 file."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from protonet.blob import Array, Shape
from protonet.errors import LayerError
from protonet.formats.hdf5 import h5py_module
from protonet.formats.hdf5_rows import RowWriter
from protonet.layers.base import Stateful, Traits, shape_text
from protonet.layers.registry import register

_PARAM = "hdf5_output_param"
_NAMES = ("data", "label")


@register("HDF5Output")
class HDF5Output(Stateful):
    """Appends the items of each pass to an HDF5 file, which is complete once the net is closed.

    Bottom:
        0: N x ..., written to the dataset ``data``.
        1: N x ..., written to the dataset ``label``.
    Top:
        none.
    Params:
        none.
    Spec:
        hdf5_output_param: file_name.
    Raises:
        LayerError: where the network is not trusted, without file_name, for a folder that is
        absent, or for bottoms with different numbers of items.
        FormatError: when the disk is full.
        UsageError: without the extra hdf5.
    Differs:
        The items of all passes follow each other along the first axis; Caffe can write one pass
        only. The file is created or replaced when the net is closed. There is no gradient.
    """

    bottoms = (2, 2)
    tops = (0, 0)
    traits = Traits(backward_reads=frozenset(), capturable=False)
    no_gradient = frozenset({0, 1})

    def setup(self) -> None:
        name = self.spec.hdf5_output_param.file_name
        if not self.context.python_layers:
            raise LayerError(
                "HDF5Output writes a file that the network names, which is not allowed here",
                ("type",),
                "where the network can be trusted, it is without --untrusted",
            )
        if not name:
            raise LayerError(f"{_PARAM} needs a file_name", (_PARAM,))
        self.path = Path(name)
        if not self.path.parent.is_dir():
            raise LayerError(
                f"{name} cannot be written: there is no folder {self.path.parent}",
                (_PARAM, "file_name"),
            )
        if self.path.is_dir():
            raise LayerError(f"{name} is a folder, not a file", (_PARAM, "file_name"))
        h5py_module()
        self._writer: RowWriter | None = None

    def infer(self, shapes: Sequence[Shape]) -> list[Shape]:
        data, label = shapes
        if data[:1] != label[:1]:
            raise LayerError(
                f"expected as many labels as data, got {shape_text(label)} and {shape_text(data)}",
                ("bottom", 1),
            )
        return []

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        if self._writer is None:
            self._writer = RowWriter(self.path)
            # Caffe's file is complete when the net is deleted, without a call to close.
            self._finalizer = weakref.finalize(self, self._writer.close)
        arrays = map(self.device.get, bottoms)
        self._writer.append(dict(zip(_NAMES, map(_four_axes, arrays), strict=True)))

    def backward(
        self,
        dtops: Sequence[Array],
        bottoms: Sequence[Array],
        tops: Sequence[Array],
        dbottoms: Sequence[Array | None],
    ) -> None:
        """Nothing: no bottom gets a gradient."""

    def close(self) -> None:
        if getattr(self, "_writer", None) is not None:
            self._finalizer()
            self._writer = None


def _four_axes(array: np.ndarray) -> np.ndarray:
    """With four axes, as Caffe stores it: missing axes at the end are 1."""
    return array.reshape(array.shape + (1,) * (4 - array.ndim))
