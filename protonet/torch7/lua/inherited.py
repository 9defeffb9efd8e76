"""The methods that every module has from ``nn.Module``, and criterions from ``nn.Criterion``."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any, TypeVar

from protonet.errors import LayerError
from protonet.torch7.copying import copied
from protonet.torch7.modules.base import Module, Session, module_class
from protonet.torch7.objects import Function, Storage, Table, Tensor, TorchObject
from protonet.torch7.parameters import flatten
from protonet.torch7.tensors import Torch
from protonet.torch7.tensors.base import describe, empty, put_view
from protonet.torch7.tensors.creation import converted, kind_of

F = TypeVar("F", bound=Callable[..., Any])

METHODS: dict[str, Callable[..., Any]] = {}
"""Called with Torch, the session, the object, and arguments."""


def _method(*names: str) -> Callable[[F], F]:
    """Decorator: a method. Of ``torch`` and ``session`` it gets what it has parameters for."""

    def enter(made: F) -> F:
        parameters = inspect.signature(made).parameters

        def run(torch: Torch, session: Session, *arguments: Any) -> Any:
            shared = {"torch": torch, "session": session}
            return made(*arguments, **{k: v for k, v in shared.items() if k in parameters})

        METHODS.update(dict.fromkeys(names, run))
        return made

    return enter


def lua_type(value: Any) -> str:
    """The type of a value of Lua: that of its function ``type``."""
    kinds = {bool: "boolean", int: "number", float: "number", str: "string"}
    if value is None:
        return "nil"
    if isinstance(value, Function):
        return "function"
    return kinds.get(type(value), "table" if isinstance(value, Table | TorchObject) else "userdata")


def walk(made: TorchObject) -> Iterator[TorchObject]:
    """An object and the modules inside it, from the outside in."""
    yield made
    inside = made.fields.get("modules")
    for each in inside.sequence if isinstance(inside, Table) else ():
        if isinstance(each, TorchObject):
            yield from walk(each)


@_method("listModules")
def _list(made: TorchObject) -> Table:
    return Table.of(walk(made))


def is_type_of(made: TorchObject, typename: str) -> bool:
    """Whether an object is of this type or one that inherits from it here."""
    if made.typename == typename:
        return True
    bases = module_class(made.typename).__mro__
    names = {f"nn.{base.__name__}" for base in bases if issubclass(base, Module)}
    return typename in names


@_method("findModules")
def _find(made: TorchObject, typename: str, *_: Any) -> Any:
    """The modules of a type, and the containers that they are in."""
    found, holders = [], []
    for holder in walk(made):
        if holder is made and made.typename == typename:
            found.append(made)
            holders.append(made)
        inside = holder.fields.get("modules")
        for each in inside.sequence if isinstance(inside, Table) else ():
            if isinstance(each, TorchObject) and each.typename == typename:
                found.append(each)
                holders.append(holder)
    return Table.of(found), Table.of(holders)


@_method("apply")
def _apply(made: TorchObject, change: Any) -> None:
    """Call a function with the module and each one inside it."""
    if not callable(change):
        raise LayerError(f"apply: expected a function, got {describe(change)}")
    for each in list(walk(made)):
        change(each)


@_method("applyToModules")
def _apply_to_modules(made: TorchObject, change: Any) -> None:
    """Call a function with each module directly inside."""
    inside = made.fields.get("modules")
    for each in inside.sequence if isinstance(inside, Table) else ():
        change(each)


@_method("replace")
def _replace(made: TorchObject, change: Any) -> TorchObject:
    """The module that a function returns for it, in which each inner one is replaced so."""
    if not callable(change):
        raise LayerError(f"replace: expected a function, got {describe(change)}")
    new = change(made)
    if not isinstance(new, TorchObject):
        raise LayerError(f"replace: the function returned {describe(new)}, expected a module")
    inside = new.fields.get("modules")
    if isinstance(inside, Table):
        for place, each in enumerate(inside.sequence, 1):
            inside[place] = _replace(each, change)
    return new


@_method("training", "evaluate")
def _phase(made: TorchObject) -> TorchObject:
    return made


@_method("clearState", "zeroGradParameters", "accGradParameters", "flattenParameters")
def _nothing(made: TorchObject, *_: Any) -> TorchObject:
    return made


@_method("forward", "updateOutput")
def _forward(made: TorchObject, x: Any, *, torch: Torch) -> Any:
    """The output for an input, in evaluation: definitions ask so for sizes."""
    from protonet.torch7.api import TorchModule  # most definitions do without

    model = TorchModule(made, _nested(x, lambda each: each.shape), "evaluate")
    y = model.forward(*_nested(x, lambda each: each.array))
    return _as_tensors(y, torch.kind)


def _nested(x: Any, of: Callable[[Tensor], Any]) -> list[Any]:
    """Something of each tensor of an input, which may be a table."""
    if isinstance(x, Table):
        return [_nested(each, of) if isinstance(each, Table) else of(each) for each in x.sequence]
    if not isinstance(x, Tensor):
        raise LayerError(f"forward: expected a tensor or table, got {describe(x)}")
    return [of(x)]


def _as_tensors(y: Any, kind: str) -> Any:
    if isinstance(y, list):
        return Table.of(_as_tensors(each, kind) for each in y)
    return Tensor.of(y, kind)


@_method("clone")
def _clone(made: TorchObject, *shared: str, torch: Torch) -> TorchObject:
    return copied(made, shared, torch.random)


@_method("share")
def _share(made: TorchObject, other: Any, *names: str) -> TorchObject:
    """Use the tensors of another module in the fields with these names, inner modules too."""
    if not isinstance(other, TorchObject):
        raise LayerError(f"share: expected a module, got {describe(other)}")
    for mine, theirs in zip(walk(made), walk(other), strict=False):
        for name in names:
            own, given = mine.fields.get(name), theirs.fields.get(name)
            if isinstance(own, Tensor) and isinstance(given, Tensor):
                put_view(own, given.storage, given.offset, given.shape, given.strides)
                mine.fields["shared"] = theirs.fields["shared"] = True
    return made


@_method("type")
def _type(made: TorchObject, name: Any = None, *_: Any, torch: Torch) -> Any:
    """The type of the module's tensors; with a name, all tensors become of that type."""
    if name is None:
        return made.fields.get("_type")
    _convert(torch, made, kind_of(name), {})
    return made


def _conversion(kind: str) -> Callable[..., Any]:
    def convert(made: TorchObject, *_: Any, torch: Torch) -> TorchObject:
        _convert(torch, made, kind, {})
        return made

    return convert


for _name in ("Float", "Double", "Cuda", "Half"):
    _method(_name.lower())(_conversion(_name))
_method("cudaHalf")(_conversion("CudaHalf"))
_method("cudaDouble")(_conversion("CudaDouble"))


_REALS = ("Float", "Double", "Half", "Cuda", "CudaDouble", "CudaHalf")


def _convert(torch: Torch, value: Any, kind: str, made: dict[Any, Storage]) -> None:
    """Convert the real tensors in an object, so that those which share still do."""
    table = value.fields if isinstance(value, TorchObject) else value
    if (id(table),) in made:
        return
    made[(id(table),)] = Storage(kind, 0)
    if isinstance(value, TorchObject):
        table["_type"] = f"torch.{kind}Tensor"
    for key, each in list(table.items()):
        if isinstance(each, TorchObject | Table):
            _convert(torch, each, kind, made)
        elif isinstance(each, Tensor) and each.kind in _REALS and each.kind != kind:
            table[key] = _converted(torch, each, kind, made)


def _converted(torch: Torch, tensor: Tensor, kind: str, made: dict[Any, Storage]) -> Tensor:
    if tensor.storage is None:
        return Tensor(kind)
    if id(tensor.storage) not in made:
        whole = Tensor(tensor.kind, tensor.storage, 0, (tensor.storage.size,), (1,))
        if tensor.storage.untouched and tensor.storage.settle is None:
            made[id(tensor.storage)] = Storage(kind, tensor.storage.size)
        else:
            storage = converted(torch, whole, kind).storage
            assert storage is not None
            made[id(tensor.storage)] = storage
    return put_view(
        Tensor(kind), made[id(tensor.storage)], tensor.offset, tensor.shape, tensor.strides
    )


def learned(session: Session, made: TorchObject) -> tuple[list[Tensor], list[Tensor]]:
    """The parameters of a module and their gradients, in Torch7's order."""
    weights, gradients = [], []
    for owner, name in module_class(made.typename)(made, session).parameters():
        weights.append(owner.fields[name])
        gradient = owner.fields.get(f"grad{name[0].upper()}{name[1:]}")
        gradients.append(gradient if isinstance(gradient, Tensor) else None)
    kept = [each for each in gradients if each is not None]
    return weights, kept


@_method("parameters")
def _parameters(made: TorchObject, *, session: Session) -> Any:
    weights, gradients = learned(session, made)
    return (Table.of(weights), Table.of(gradients)) if weights else None


@_method("getParameters")
def _get_parameters(made: TorchObject, *, torch: Torch, session: Session) -> Any:
    """All parameters as one vector, and their gradients; the modules then view these."""
    weights, gradients = learned(session, made)
    return _flattened(torch, weights), _flattened(torch, gradients)


def _flattened(torch: Torch, tensors: list[Tensor]) -> Tensor:
    """One vector that all these tensors view from now on; what they shared, they share.

    Pending random numbers stay pending, unless tensors show parts of each other.
    """
    if _overlap(tensors):
        return flatten(tensors)
    places: dict[Any, int] = {}
    count = 0
    for each in tensors:
        if each.place not in places:
            places[each.place] = count
            count += each.count
    flat = empty(tensors[0].kind if tensors else torch.kind, (count,) if count else ())
    done = set()
    for each in tensors:
        place, offset = each.place, places[each.place]
        view = put_view(Tensor(flat.kind), flat.storage, offset, each.shape)
        if place not in done and not (each.storage is not None and _is_zero(each.storage)):
            torch.random.copy(view, each)
        done.add(place)
        put_view(each, flat.storage, offset, each.shape)
    return flat


def _overlap(tensors: list[Tensor]) -> bool:
    """Whether elements belong to several of the tensors, but not all elements of these."""
    ends: dict[int, list[tuple[int, int]]] = {}
    for place, each in {each.place: each for each in tensors}.items():
        steps = zip(each.shape, each.strides, strict=True)
        last = each.offset + sum((extent - 1) * stride for extent, stride in steps)
        ends.setdefault(place[0], []).append((each.offset, last))
    return any(
        first[1] >= second[0]
        for spans in map(sorted, ends.values())
        for first, second in pairwise(spans)
    )


def _is_zero(storage: Storage) -> bool:
    return storage.untouched and storage.settle is None


def text_of(made: TorchObject, indent: str = "") -> str:
    """A module as Torch7 prints it: its type, and those inside."""
    inside = made.fields.get("modules")
    if not isinstance(inside, Table):
        return made.typename
    rows = [
        f"{indent}  ({place}): {text_of(each, indent + '  ')}"
        for place, each in enumerate(inside.sequence, 1)
        if isinstance(each, TorchObject)
    ]
    return "\n".join([f"{made.typename} {{", *rows, f"{indent}}}"])
