"""``caffe.NetSpec``, ``layers`` and ``params``: networks written as Python expressions."""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any

from protonet.proto import caffe_pb2
from protonet.proto.caffe_pb2 import LayerParameter, NetParameter


@cache
def param_names() -> dict[str, str]:
    """The field of each type's settings: ``Convolution`` to ``convolution_param``."""
    return {
        field.message_type.name.removesuffix("Parameter"): field.name
        for field in LayerParameter.DESCRIPTOR.fields
        if field.name.endswith("_param") and field.message_type is not None
    }


def assign_proto(proto: Any, name: str, value: Any) -> None:
    """Set a field: dictionaries become messages, sequences repeated fields.

    Raises:
        AttributeError: for a field that the message has not.
    """
    fields = proto.DESCRIPTOR.fields_by_name
    if name not in fields:
        raise AttributeError(f"{proto.DESCRIPTOR.name} has no field '{name}'")
    repeated = fields[name].is_repeated
    if repeated and not isinstance(value, (list, tuple)):
        value = [value]
    if repeated:
        target = getattr(proto, name)
        for item in value:
            if isinstance(item, Mapping):
                message = target.add()
                for key, each in item.items():
                    assign_proto(message, key, each)
            else:
                target.append(item)
    elif isinstance(value, Mapping):
        for key, each in value.items():
            assign_proto(getattr(proto, name), key, each)
    else:
        setattr(proto, name, value)


class Top:
    """One blob that a function makes."""

    def __init__(self, fn: Function, n: int) -> None:
        self.fn = fn
        self.n = n

    def to_proto(self) -> NetParameter:
        """The net that makes this blob."""
        return to_proto(self)


class Function:
    """A layer with its inputs and settings, without a name yet."""

    def __init__(self, type_name: str, inputs: Sequence[Any], params: Mapping[str, Any]) -> None:
        for place, each in enumerate(inputs):
            if not isinstance(each, Top):
                raise TypeError(f"{type_name} input {place} is not a Top (type is {type(each)})")
        self.type_name = type_name
        self.inputs = list(inputs)
        self.params = dict(params)
        self.ntop = self.params.pop("ntop", 1)
        self.in_place = self.params.pop("in_place", False)
        self.tops = tuple(Top(self, n) for n in range(self.ntop))

    def write(
        self,
        layers: OrderedDict[Function, LayerParameter],
        names: dict[Any, str],
        automatic: Counter[str],
    ) -> None:
        """Add this layer, and before it those that make its inputs."""
        if self in layers:
            return
        bottoms = []
        for each in self.inputs:
            each.fn.write(layers, names, automatic)
            bottoms.append(layers[each.fn].top[each.n])
        layer = LayerParameter(type=self.type_name, bottom=bottoms)
        if self.in_place:
            layer.top.extend(layer.bottom)
        else:
            layer.top.extend(_top_name(top, names, automatic) for top in self.tops)
        layer.name = self._name(names, automatic)
        for key, value in self.params.items():
            self._set(layer, key, value)
        layers[self] = layer

    def _set(self, layer: LayerParameter, key: str, value: Any) -> None:
        """Set a field of the layer, or of the settings of its type."""
        if key in LayerParameter.DESCRIPTOR.fields_by_name:
            assign_proto(layer, key, value)
            return
        field = param_names().get(self.type_name)
        if field is None:
            raise AttributeError(
                f"{self.type_name} has no settings of its own, and LayerParameter no field '{key}'"
            )
        assign_proto(getattr(layer, field), key, value)

    def _name(self, names: dict[Any, str], automatic: Counter[str]) -> str:
        if self not in names:
            if self.ntop > 0:
                names[self] = _top_name(self.tops[0], names, automatic)
            else:
                automatic[self.type_name] += 1
                names[self] = f"{self.type_name}{automatic[self.type_name]}"
        return names[self]


def _top_name(top: Top, names: dict[Any, str], automatic: Counter[str]) -> str:
    if top not in names:
        kind = top.fn.type_name
        automatic[kind] += 1
        names[top] = f"{kind}{automatic[kind]}"
    return names[top]


def to_proto(*tops: Top) -> NetParameter:
    """The net that makes all of ``tops``."""
    return _written(tops, {})


def _written(functions: Iterable[Any], names: dict[Any, str]) -> NetParameter:
    layers: OrderedDict[Function, LayerParameter] = OrderedDict()
    automatic: Counter[str] = Counter()
    for each in functions:
        (each.fn if isinstance(each, Top) else each).write(layers, names, automatic)
    return NetParameter(layer=layers.values())


class NetSpec:
    """A net whose blobs are attributes: ``n.conv1 = L.Convolution(n.data, ...)``."""

    def __init__(self) -> None:
        super().__setattr__("tops", OrderedDict())

    def __setattr__(self, name: str, value: Any) -> None:
        self.tops[name] = value

    def __getattr__(self, name: str) -> Any:
        try:
            return self.tops[name]
        except KeyError:
            raise AttributeError(f"this net has no blob '{name}'") from None

    def __setitem__(self, key: str, value: Any) -> None:
        self.tops[key] = value

    def __getitem__(self, item: str) -> Any:
        return getattr(self, item)

    def __delitem__(self, name: str) -> None:
        del self.tops[name]

    def __delattr__(self, name: str) -> None:
        del self.tops[name]

    def keys(self) -> list[str]:
        """The names of the blobs."""
        return list(self.tops)

    def vals(self) -> list[Any]:
        """The blobs."""
        return list(self.tops.values())

    def update(
        self, other: str | Mapping[str, Any], params: Mapping[str, Any] | None = None
    ) -> None:
        """Take up several blobs by name; or, as SSD's fork has it, set more of the layer that makes
        the blob ``other``.
        """
        if isinstance(other, str):
            made = self.tops[other]
            (made.fn if isinstance(made, Top) else made).params.update(params or {})
        else:
            self.tops.update(other)

    def to_proto(self) -> NetParameter:
        """The net: each layer is called as its first blob."""
        return _written(self.tops.values(), {value: name for name, value in self.tops.items()})


class Layers:
    """``L.Type(bottom, ..., setting=value)``: one blob, a tuple of ``ntop``, or the layer."""

    def __getattr__(self, name: str) -> Any:
        def layer(*inputs: Top, **params: Any) -> Any:
            made = Function(name, inputs, params)
            if made.ntop == 0:
                return made
            return made.tops[0] if made.ntop == 1 else made.tops

        return layer


class Parameters:
    """``P.Pooling.MAX``, ``P.Resize.WARP``: enumerations of a type's settings, and of every other
    message whose name ends in ``Parameter``.
    """

    def __getattr__(self, name: str) -> Any:
        class Settings:
            def __getattr__(self, value: str) -> Any:
                message = getattr(caffe_pb2, f"{name}Parameter", None)
                if message is None:
                    raise AttributeError(f"no settings are those of a '{name}'")
                return getattr(message, value)

        return Settings()


layers = Layers()
params = Parameters()
