"""Input and DummyData: tops that a caller or a filler sets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

from protonet.blob import Array, Shape
from protonet.errors import LayerError
from protonet.layers.base import Layer, Traits, shape_text
from protonet.layers.fillers import check_filler, fill
from protonet.layers.registry import register
from protonet.proto.caffe_pb2 import DummyDataParameter, FillerParameter

T = TypeVar("T")


def _per_top(given: Sequence[T], tops: int, path: tuple[str, str]) -> list[T]:
    """One entry for each top, from one for each or one for all."""
    if len(given) not in (1, tops):
        numbers = "1" if tops == 1 else f"1 or {tops} (one for each top)"
        raise LayerError(f"expected {numbers} {path[1]}, got {len(given)}", path)
    return list(given) * (tops if len(given) == 1 else 1)


def _check_shapes(shapes: Sequence[Shape], path: tuple[str, str]) -> None:
    for index, shape in enumerate(shapes):
        if min(shape, default=1) < 1:
            raise LayerError(
                f"expected axes of 1 or more, got shape {shape_text(shape)}", (*path, index)
            )


@register("Input")
class Input(Layer):
    """Blobs whose values the caller sets.

    Bottom:
        none.
    Top:
        any number, each of the shape given in the spec.
    Params:
        none.
    Spec:
        input_param: shape, one for all tops or one for each.
    Raises:
        LayerError: for a wrong number of shapes, or an axis below 1.
    Differs:
        A shape is required; in Caffe the caller may set it later.
    """

    traits = Traits(persistent_tops=True)
    bottoms = (0, 0)
    tops = (1, None)

    def setup(self) -> None:
        path = ("input_param", "shape")
        given = [tuple(shape.dim) for shape in self.spec.input_param.shape]
        _check_shapes(given, path)
        self.shapes: list[Shape] = _per_top(given, len(self.spec.top), path)

    def infer(self, shapes: Sequence[Shape]) -> list[Shape]:
        return list(self.shapes)

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        """Nothing: the caller has written the tops."""


@register("DummyData")
class DummyData(Layer):
    """Blobs of constant or random values, to run a net without data.

    Bottom:
        none.
    Top:
        any number, each of the shape given in the spec. Constants are written once, when the
        net is built: what a caller writes there stays.
    Params:
        none.
    Spec:
        dummy_data_param: shape (or num, channels, height, width) and data_filler, each one for
        all tops or one for each; without a filler, zeros.
    Raises:
        LayerError: for other numbers of shapes or fillers, an axis below 1, or a filler that
        cannot fill its shape.
    Differs:
        Random values are a function of the seed and the pass, so runs are reproducible.
    """

    bottoms = (0, 0)
    tops = (1, None)

    def setup(self) -> None:
        param, tops = self.spec.dummy_data_param, len(self.spec.top)
        given, path = _dummy_shapes(param)
        _check_shapes(given, path)
        self.shapes = _per_top(given, tops, path)
        path = ("dummy_data_param", "data_filler")
        fillers = list(param.data_filler) or [FillerParameter()]
        self.fillers = _per_top(fillers, tops, path)
        for place, (filler, shape) in enumerate(zip(self.fillers, self.shapes, strict=True)):
            index = place if len(param.data_filler) > 1 else 0
            check_filler(filler, shape, (*path, index) if param.data_filler else ())
        constant = any(filler.type == "constant" for filler in self.fillers)
        self.traits = replace(self.traits, persistent_tops=constant)

    def infer(self, shapes: Sequence[Shape]) -> list[Shape]:
        return list(self.shapes)

    def build(self, shapes: Sequence[Shape]) -> None:
        self._filled = False

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        generator = self.random.host()
        for top, shape, filler in zip(tops, self.shapes, self.fillers, strict=True):
            if filler.type != "constant":
                self.device.put(fill(filler, shape, generator, self.dtype), top)
            elif not self._filled:
                top.fill(filler.value)
        self._filled = True


def _dummy_shapes(param: DummyDataParameter) -> tuple[list[Shape], tuple[str, str]]:
    """The shapes, and the field that gives them."""
    axes = (param.num, param.channels, param.height, param.width)
    if not any(axes):
        return [tuple(shape.dim) for shape in param.shape], ("dummy_data_param", "shape")
    if param.shape:
        raise LayerError(
            "shape and num, channels, height, width are both given; shape alone is enough",
            ("dummy_data_param", "shape"),
        )
    if len({len(axis) for axis in axes}) != 1:
        counts = ", ".join(str(len(axis)) for axis in axes)
        raise LayerError(
            f"num, channels, height and width must have the same number of entries, got {counts}",
            ("dummy_data_param",),
        )
    return list(zip(*axes, strict=True)), ("dummy_data_param", "num")
