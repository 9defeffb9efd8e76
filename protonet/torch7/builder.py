"""Collects the layers that modules become: names, shapes, parameters, and the line of each."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NoReturn, Protocol

import numpy as np
from google.protobuf.json_format import ParseDict, ParseError

from protonet.blob import Shape
from protonet.errors import LayerError, NetworkError
from protonet.layers import layer_class
from protonet.layers.base import Weight, shape_text
from protonet.layers.instantiation import check_arity
from protonet.layers.limits import check_limits
from protonet.proto.caffe_pb2 import TRAIN, LayerParameter, ParamSpec
from protonet.proto.source import Source
from protonet.torch7.layer_names import Names
from protonet.torch7.objects import Tensor, TorchObject

_DEEPEST = 100
"""How deep modules may be nested."""


@dataclass(frozen=True)
class Blob:
    """A top, or an input of the net.

    ``base`` 0: class numbers that count from 0, and stand for Torch7's, which count from 1.
    """

    name: str
    shape: Shape
    base: int | None = None

    def __str__(self) -> str:
        return shape_text(self.shape)


Value = Blob | list["Value"]
"""What a module takes or returns: a blob, or a table of them, nested."""


@dataclass(frozen=True)
class Bound:
    """A tensor of a module that is a parameter of a layer.

    The layer's array is the tensor viewed as ``shape``, with its axes in the order ``axes``, and
    then in the layer's own shape. ``learned`` is false for running statistics and for parameters
    that the definition froze.
    """

    owner: TorchObject
    field: str
    tensor: Tensor
    shape: Shape | None = None
    axes: tuple[int, ...] | None = None
    learned: bool = True

    def to_layer(self, values: np.ndarray, shape: Shape) -> np.ndarray:
        """The layer's array of ``shape`` for these values of the tensor."""
        viewed = values.reshape(self.shape or values.shape)
        moved = viewed if self.axes is None else viewed.transpose(self.axes)
        return np.ascontiguousarray(moved).reshape(shape)

    def to_tensor(self, array: np.ndarray) -> np.ndarray:
        """The layer's array in the tensor's shape; a view wherever that is possible."""
        if self.axes is None:
            return array.reshape(self.tensor.shape)
        inner = self.shape or self.tensor.shape
        moved = array.reshape([inner[axis] for axis in self.axes])
        return moved.transpose(np.argsort(self.axes)).reshape(self.tensor.shape)


@dataclass(frozen=True)
class Placed:
    """A parameter in the net: the layer that has it, its index there and its shape."""

    layer: str
    index: int
    shape: Shape
    bound: Bound


class Translatable(Protocol):
    """What the builder knows of a module."""

    object: TorchObject

    def layers(self, net: Any, x: Value) -> Value:
        """Add the layers of the module to a ``NetBuilder``; returns its output."""


@dataclass
class _Spot:
    """The module that is being translated."""

    module: Translatable
    path: str
    named: bool = False


class NetBuilder:
    """The layers of a net, as modules add them.

    Args:
        source: the text that mistakes point to.
        phase: TRAIN or TEST, for layers whose shapes depend on it.
    """

    def __init__(self, source: Source, phase: int = TRAIN) -> None:
        self.source, self.phase = source, phase
        self.specs: list[LayerParameter] = []
        self.lines: list[int] = []
        self.placed: list[Placed] = []
        self.notes: dict[int, Any] = {}
        """What modules leave for others: by the ``id`` of their object."""
        self._names = Names()
        self._spots: list[_Spot] = []
        self._producers: dict[str, LayerParameter] = {}
        self._shared: dict[Any, tuple[LayerParameter, int]] = {}
        self._shapes: dict[str, Shape] = {}
        self._with_labels = False

    # What modules call.

    def add(self, module: Translatable, x: Value) -> Value:
        """The layers of a module inside the present one; returns its output."""
        with self.at(module):
            return module.layers(self, x)

    def layer(
        self,
        kind: str,
        bottoms: Blob | Sequence[Blob],
        *,
        weights: Sequence[Bound] = (),
        **fields: Any,
    ) -> Blob:
        """Add a layer with one top, and return that. ``fields`` are those of LayerParameter, with
        messages as dicts: ``power_param={"scale": 2}``.

        Raises:
            LayerError: what the layer refuses.
        """
        return self.layer_of_tops(kind, bottoms, 1, weights=weights, **fields)[0]

    def layer_of_tops(
        self,
        kind: str,
        bottoms: Blob | Sequence[Blob],
        tops: int,
        *,
        weights: Sequence[Bound] = (),
        **fields: Any,
    ) -> list[Blob]:
        """Add a layer with this number of tops, and return them."""
        given = [bottoms] if isinstance(bottoms, Blob) else list(bottoms)
        spec = LayerParameter(name=self._name(kind, "loss_weight" in fields), type=kind)
        spec.bottom.extend(blob.name for blob in given)
        made = [spec.name] if tops == 1 else [f"{spec.name}_{i + 1}" for i in range(tops)]
        spec.top.extend(made)
        try:
            ParseDict(_in_json(fields), spec)
        except ParseError as error:
            raise LayerError(f"a number is too large for the layer {kind}: {error}") from None
        if self._with_labels:
            spec.exclude.add().stage.append("deploy")
        shapes, declared = self._inferred(spec, given)
        self._bind(spec, weights, declared)
        self.specs.append(spec)
        self.lines.append(self._line())
        self._producers.update(dict.fromkeys(made, spec))
        return [Blob(name, tuple(shape)) for name, shape in zip(made, shapes, strict=True)]

    def producer(self, blob: Blob) -> LayerParameter | None:
        """The layer that a blob is the top of; None for an input. It may be changed."""
        return self._producers.get(blob.name)

    def second_top(self, blob: Blob, suffix: str) -> Blob:
        """The second top, of the same shape, of the layer whose first is ``blob``; added if it is
        missing.
        """
        spec = self._producers[blob.name]
        if len(spec.top) == 1:
            spec.top.append(f"{spec.name}_{suffix}")
            self._names.taken.add(spec.top[1])
            self._shapes[spec.top[1]] = blob.shape
        return Blob(spec.top[1], blob.shape)

    def blob_of(self, spec: LayerParameter, bottom: int = 0) -> Blob:
        """A bottom of a layer of this net, with its shape."""
        return Blob(spec.bottom[bottom], self._shapes[spec.bottom[bottom]])

    def classes_from_zero(self, target: Blob) -> Blob:
        """Class numbers that count from 0, as Caffe's layers read them."""
        if target.base == 0:
            return Blob(target.name, target.shape)
        return self.layer("Power", target, power_param={"shift": -1})

    def as_in_torch(self, target: Blob) -> Blob:
        """The target with the values that Torch7's modules read: classes count from 1."""
        if target.base != 0:
            return target
        return self.layer("Power", target, power_param={"shift": 1})

    @contextmanager
    def with_labels(self) -> Iterator[None]:
        """In this block layers are for training and validation only."""
        before, self._with_labels = self._with_labels, True
        yield
        self._with_labels = before

    # What the translation calls.

    def input(self, name: str, shape: Shape, base: int | None = None) -> Blob:
        """An input of the net."""
        self._names.taken.add(name)
        self._shapes[name] = shape
        return Blob(name, shape, base)

    @contextmanager
    def at(self, module: Translatable) -> Iterator[None]:
        """In this block layers belong to ``module``; what it refuses is a mistake at its line."""
        self._check_nesting(module)
        outer = self._spots[-1].path if self._spots else ""
        parts = [*outer.split("/"), module.object.name] if outer else [module.object.name]
        if len(parts) > 9:
            parts[4:-4] = ["..."]
        path = "/".join(parts)
        self._spots.append(_Spot(module, path))
        try:
            yield
        except LayerError as error:
            self._refuse(error)
        finally:
            self._spots.pop()

    def _check_nesting(self, module: Translatable) -> None:
        """Raise LayerError for a module inside itself, or one too deep inside others."""
        if any(spot.module.object is module.object for spot in self._spots):
            raise LayerError(f"{module.object.typename} is inside itself")
        if len(self._spots) >= _DEEPEST:
            raise LayerError(f"modules are nested deeper than {_DEEPEST}")

    def _refuse(self, error: LayerError) -> NoReturn:
        spot = self._spots[-1]
        line = self._line()
        made = spot.module.object
        where = made.typename if line else spot.path
        if made.place:
            where = f"{made.place}: {made.typename}"
        message = str(error).removeprefix(f"{made.typename}: ")
        mistake = self.source.mistake(("line", line), f"{where}: {message}", error.hint)
        raise NetworkError([mistake]) from None

    def _line(self) -> int:
        """The line of the innermost module that has one."""
        return next(
            (s.module.object.line for s in reversed(self._spots) if s.module.object.line), 0
        )

    def _name(self, kind: str, weighed: bool) -> str:
        """The module's name with a number; further layers of it are named by their own type. Of a
        criterion it is the loss that has the name.
        """
        if not self._spots:
            return self._names.new(kind)
        spot = self._spots[-1]
        if hasattr(spot.module, "loss") and not (weighed or layer_class(kind).is_loss):
            return self._names.new(kind)
        stem = kind if spot.named else spot.module.object.name
        spot.named = True
        return self._names.new(stem)

    def _inferred(
        self, spec: LayerParameter, bottoms: Sequence[Blob]
    ) -> tuple[list[Shape], list[Weight]]:
        """The shapes of the tops of a layer, and its parameters."""
        layer = layer_class(spec.type)(spec, self.phase)
        check_arity(layer)
        layer.setup()
        shapes = [blob.shape for blob in bottoms]
        tops, weights = layer.infer(shapes), layer.declare(shapes)
        check_limits(tops, weights)
        self._shapes.update(zip(spec.top, tops, strict=True))
        return tops, weights

    def _bind(
        self, spec: LayerParameter, bounds: Sequence[Bound], declared: Sequence[Weight]
    ) -> None:
        """Bind tensors to the layer's parameters; those of an earlier layer are shared."""
        if len(bounds) != len(declared):
            raise LayerError(f"has {len(bounds)} parameters, but its layer {len(declared)}")
        for index, (bound, weight) in enumerate(zip(bounds, declared, strict=True)):
            viewed = bound.shape or bound.tensor.shape
            if bound.axes is not None and len(bound.axes) != len(viewed):
                expected = f"expected {len(bound.axes)} dimensions"
                raise LayerError(f"{bound.field} is {shape_text(viewed)}; {expected}")
            if bound.tensor.count != weight.count:
                raise LayerError(
                    f"{bound.field} is {shape_text(bound.tensor.shape)}, but this input needs "
                    f"{shape_text(weight.shape)}"
                )
            if not bound.learned:
                _param(spec, index).lr_mult = 0
            first = self._shared.setdefault(bound.tensor.place, (spec, index))
            if first[0] is not spec:
                shared = f"{first[0].name}_{bound.field}"
                _param(first[0], first[1]).name = _param(spec, index).name = shared
            self.placed.append(Placed(spec.name, index, weight.shape, bound))


def _in_json(value: Any) -> Any:
    """Infinite numbers as protobuf's JSON writes them."""
    if isinstance(value, dict):
        return {name: _in_json(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_in_json(each) for each in value]
    if isinstance(value, float) and math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    return value


def _param(spec: LayerParameter, index: int) -> ParamSpec:
    """The settings of a parameter of a layer."""
    while len(spec.param) <= index:
        spec.param.add()
    param: ParamSpec = spec.param[index]
    return param
