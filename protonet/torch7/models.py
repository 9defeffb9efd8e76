"""Modules in .t7 files: read, checked, and as nets."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from protonet.errors import FormatError, LayerError, Mistake, NetworkError
from protonet.torch7 import serial
from protonet.torch7.modules.base import Criterion, module_class
from protonet.torch7.objects import Table, Tensor, TorchObject

_DEEPEST = 200
_MOST = 20_000
"""Modules of a model, each as often as it is used."""
_NAMES = ("model", "net", "network", "module")
"""Keys of a table that hold the model, in files that hold more than that."""


def read_model(path: str | Path) -> TorchObject:
    """The module in a .t7 file; of a table, the one that is called model, net or network.

    Fields of old versions of Torch7 are brought into their present form.

    Raises:
        UsageError: when the file cannot be read.
        FormatError: when it is damaged, or has no module.
        NetworkError: for modules that protonet does not have: all of them, with their place.
    """
    return model_in(serial.read(path), path)


def model_in(value: object, path: str | Path) -> TorchObject:
    """The module in a value from the file ``path``, as ``read_model`` does."""
    model = _model_in(value, path)
    mistake = size_mistake(model)
    if mistake is not None:
        raise FormatError(f"{path}: {mistake}")
    _check_types(model, path)
    for each in objects_in(model):
        _modernize(each)
    return model


def _model_in(value: object, path: str | Path) -> TorchObject:
    if isinstance(value, Table):
        found = [value[name] for name in _NAMES if isinstance(value.get(name), TorchObject)]
        value = found[0] if found else value
    if isinstance(value, TorchObject):
        return value
    if isinstance(value, Tensor):
        raise FormatError(
            f"{path}: is a tensor of {value.count:,} numbers, such as the weights of a net, but "
            "has no modules; give it as --weights of the net's Lua text"
        )
    raise FormatError(f"{path}: has no module of Torch7, but a {_kind(value)}")


def _kind(value: object) -> str:
    if not isinstance(value, Table):
        return type(value).__name__
    keys = ", ".join(str(key)[:40] for key in list(value)[:10])
    return f"table with {keys}" if keys else "table without fields"


def objects_in(model: TorchObject) -> Iterator[TorchObject]:
    """The module and all modules inside it, each once, also those of graphs."""
    waiting: list[object] = [model]
    seen = set()
    while waiting:
        value = waiting.pop()
        if id(value) in seen or not isinstance(value, (TorchObject, Table)):
            continue
        seen.add(id(value))
        if isinstance(value, TorchObject):
            yield value
            value = value.fields
        waiting += reversed([each for pair in value.items() for each in pair])


def size_mistake(model: TorchObject) -> str | None:
    """What is wrong with a tree that is too deep, as one that contains itself, or too large because
    its modules repeat each other; None if it is neither.
    """
    level, total = {id(model): (model, 1)}, 0
    for _ in range(_DEEPEST):
        below: dict[int, tuple[TorchObject, int]] = {}
        for each, times in level.values():
            for part in parts_of(each):
                below[id(part)] = (part, below.get(id(part), (part, 0))[1] + times)
        level = below
        total += sum(times for _, times in level.values())
        if total > _MOST:
            return f"has more than {_MOST:,} modules"
        if not level:
            return None
    return f"modules are nested deeper than {_DEEPEST}"


def _check_types(model: TorchObject, path: str | Path) -> None:
    mistakes = []
    for each in tree(model):
        try:
            cls = module_class(each.typename)
        except LayerError as error:
            mistakes.append(Mistake(f"{each.place}: {error}", str(path), hint=error.hint))
            continue
        if issubclass(cls, Criterion):
            message = f"{each.place}: {each.typename} is a criterion, not a module"
            mistakes.append(Mistake(message, str(path)))
    if mistakes:
        raise NetworkError(mistakes)


def tree(model: TorchObject) -> Iterator[TorchObject]:
    """The module and those inside it, each once, in their order."""
    waiting, seen = [model], set()
    while waiting:
        each = waiting.pop()
        if id(each) not in seen:
            seen.add(id(each))
            yield each
            waiting += reversed(parts_of(each))


def parts_of(model: TorchObject) -> list[TorchObject]:
    """The modules in the field ``modules``."""
    inside = model.fields.get("modules")
    values = inside.values() if isinstance(inside, Table) else ()
    return [part for part in values if isinstance(part, TorchObject)]


def _modernize(made: TorchObject) -> None:
    """Bring the fields of an old module into the form of the newest nn: what its ``read`` and
    ``backCompatibility`` do (torch/nn, BatchNormalization.lua and SpatialConvolution.lua).
    """
    fields, name = made.fields, made.name
    if "BatchNormalization" in name and isinstance(fields.get("running_std"), Tensor):
        deviations = fields["running_std"]
        variance = deviations.array.astype("f8") ** -2 - fields.get("eps", 1e-5)
        fields["running_var"] = Tensor.of(variance, deviations.kind)
        del fields["running_std"]
        made.version = 2
    if name.startswith(("SpatialConvolution", "SpatialMaxPooling", "SpatialAveragePooling")):
        padding = fields.pop("padding", 0) if "Convolution" in name else 0
        for field in ("padW", "padH"):
            if fields.get(field) is None:
                fields[field] = padding
