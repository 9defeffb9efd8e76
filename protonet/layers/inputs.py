"""Layers that bring data into a net: Input, DummyData, Data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from protonet.blob import Array, Shape
from protonet.data.database import Database
from protonet.data.datum import decode
from protonet.data.source import BatchSource
from protonet.data.transform import Transformer, load_mean
from protonet.errors import LayerError
from protonet.layers.base import Layer
from protonet.layers.fillers import fill
from protonet.layers.registry import register
from protonet.proto.caffe_pb2 import FillerParameter


def _per_top(kind: str, given: Sequence[Any], tops: int, path: tuple[str, str]) -> list[Any]:
    """One entry for each top: as given, or one for all."""
    if len(given) not in (1, tops):
        raise LayerError(f"expected 1 or {tops} {kind}, got {len(given)}", path)
    return list(given) * (tops if len(given) == 1 else 1)


@register("Input")
class Input(Layer):
    """Blobs that the caller fills.

    Bottom:
        none
    Top:
        any number, each of the shape that the text gives
    Params:
        none
    Spec:
        input_param: shape, one for all tops or one for each
    Raises:
        LayerError: for another number of shapes
    Differs:
        no
    """

    bottoms = (0, 0)
    tops = (1, None)

    def setup(self) -> None:
        shapes = self.spec.input_param.shape
        path = ("input_param", "shape")
        self.shapes = [
            tuple(shape.dim) for shape in _per_top("shape", shapes, len(self.spec.top), path)
        ]
        for shape in self.shapes:
            if min(shape, default=1) < 1:
                raise LayerError(f"shape {shape} has an axis below 1", path)

    def infer(self, shapes: Sequence[Shape]) -> list[Shape]:
        return self.shapes

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        """Nothing to do: the caller has written the tops."""


@register("DummyData")
class DummyData(Layer):
    """Blobs of constant or random values, to try a net without data.

    Bottom:
        none
    Top:
        any number, each of the shape that the text gives
    Params:
        none
    Spec:
        dummy_data_param: shape (or num, channels, height, width) and data_filler, each one for
        all tops or one for each; without a filler, zeros
    Raises:
        LayerError: for other numbers of shapes or fillers
    Differs:
        random values are a function of the seed and the pass, so runs repeat
    """

    bottoms = (0, 0)
    tops = (1, None)

    def setup(self) -> None:
        param, tops = self.spec.dummy_data_param, len(self.spec.top)
        if param.shape:
            given = [tuple(shape.dim) for shape in param.shape]
        else:
            axes = (param.num, param.channels, param.height, param.width)
            if len({len(axis) for axis in axes}) != 1:
                raise LayerError(
                    "num, channels, height and width must be given equally often",
                    ("dummy_data_param",),
                )
            given = list(zip(*axes, strict=True))
        self.shapes = _per_top("shape", given, tops, ("dummy_data_param", "shape"))
        fillers = list(param.data_filler) or [FillerParameter()]
        self.fillers = _per_top("data_filler", fillers, tops, ("dummy_data_param", "data_filler"))

    def infer(self, shapes: Sequence[Shape]) -> list[Shape]:
        return self.shapes

    def build(self, shapes: Sequence[Shape]) -> None:
        self._filled = False

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        generator = self.random.host()
        for top, shape, filler in zip(tops, self.shapes, self.fillers, strict=True):
            if filler.type != "constant" or not self._filled:
                self.device.put(fill(filler, shape, generator, self.dtype), top)
        self._filled = True


@register("Data")
class Data(Layer):
    """Batches of an LMDB of Datum records.

    Bottom:
        none
    Top:
        0: N x C x H x W, the images after transform_param; H and W are crop_size where it is set
        1 (optional): N, Datum.label as numbers
    Params:
        none
    Spec:
        data_param: source, batch_size, rand_skip; shuffle and threads of NVIDIA's fork
        transform_param: scale, mirror, crop_size, mean_file, mean_value, force_color, force_gray
    Raises:
        LayerError: without source or batch_size, or for settings that do not fit the records
        DataError: for a database or record that cannot be used
    Differs:
        the backend is seen from the files, so LMDB need not be named; every record must have the
        first one's shape; random crops are a function of the seed and the record's number
    """

    bottoms = (0, 0)
    tops = (1, 2)

    def setup(self) -> None:
        param, transform = self.spec.data_param, self.spec.transform_param
        for name in ("source", "batch_size"):
            if not getattr(param, name):
                raise LayerError(f"data_param needs {name}", ("data_param",))
        if transform.force_color and transform.force_gray:
            raise LayerError("force_color and force_gray are both set", ("transform_param",))
        self.batch_size = param.batch_size
        self._color = True if transform.force_color else False if transform.force_gray else None
        self.database = Database(self.around.find(param.source))
        self.source: BatchSource | None = None
        try:
            self._read_first()
        except BaseException:
            self.database.close()
            raise

    def _read_first(self) -> None:
        """The first record decides the shape."""
        transform = self.spec.transform_param
        first = self.database.keys()[0]
        image = decode(self.database.get(first), self.database.where(first), color=self._color)
        mean = None
        if transform.mean_file:
            mean = load_mean(self.around.find(transform.mean_file))
        self.transformer = Transformer(
            transform,
            self.phase,
            (image.shape[0], image.shape[1], image.shape[2]),
            mean,
            seed=self.around.seed,
            name=self.name,
        )

    @property
    def length(self) -> int:
        """Records in the database."""
        return len(self.database)

    def infer(self, shapes: Sequence[Shape]) -> list[Shape]:
        found: list[Shape] = [(self.batch_size, *self.transformer.output_shape)]
        return [*found, (self.batch_size,)][: len(self.spec.top)]

    def build(self, shapes: Sequence[Shape]) -> None:
        param = self.spec.data_param
        skip = 0
        if param.rand_skip:
            skip = int(np.random.default_rng(self.around.seed % 2**64).integers(param.rand_skip))
        self.source = BatchSource(
            self.database,
            self.batch_size,
            self.transformer,
            color=self._color,
            shuffle=param.shuffle or (self.around.shuffle and self.training),
            seed=self.around.seed,
            skip=skip,
            threads=param.threads if param.threads else self.around.threads,
        )
        self._staging: list[np.ndarray] = []
        if not self.device.is_cpu:
            self._staging = [self.device.pinned(shape) for shape in self.infer(())]

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        assert self.source is not None
        self.source.next(*(self._staging if self._staging else tops))
        for host, top in zip(self._staging, tops, strict=False):
            self.device.put(host, top)

    def state(self) -> dict[str, Any]:
        return {"position": self.source.position} if self.source is not None else {}

    def restore(self, state: dict[str, Any]) -> None:
        if self.source is not None:
            self.source.position = int(state["position"])

    def close(self) -> None:
        if getattr(self, "source", None) is not None:
            assert self.source is not None
            self.source.close()
        elif hasattr(self, "database"):
            self.database.close()
