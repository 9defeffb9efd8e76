"""The contract of a module: what its constructor sets, and the layers that it becomes."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from typing import Any, ClassVar, Protocol, TypeVar

from protonet.errors import LayerError, nearest
from protonet.registry import Registry
from protonet.torch7 import graphs
from protonet.torch7.arguments import elements, fitted
from protonet.torch7.builder import Blob, Bound, NetBuilder, Value
from protonet.torch7.objects import Function, Storage, Table, Tensor, TorchObject
from protonet.torch7.objects import contiguous_strides as strides_of
from protonet.torch7.versions import VERSIONS

MODULES: Registry[type[Module]] = Registry("module of Torch7", "typename")

M = TypeVar("M", bound="type[Module]")
F = TypeVar("F", bound=Callable[..., Any])


class Draws(Protocol):
    """Torch7's generator of random numbers, as far as modules use it."""

    def draw(self, tensor: Tensor, distribution: str, a: float, b: float) -> None:
        """Fill the tensor when it is read: ``uniform`` of [a, b), ``normal`` of mean a and
        standard deviation b. The numbers are those that Torch7 draws at this moment.
        """


@dataclass(frozen=True)
class Session:
    """What the constructors of a definition share: random numbers, and the type of new tensors."""

    random: Draws
    kind: str = "Float"


def module(*names: str) -> Callable[[M], M]:
    """Class decorator: register a module under its type names, such as ``nn.Linear``."""

    def enter(cls: M) -> M:
        for name in reversed(names):  # the first one becomes ``typename``
            MODULES.register(name)(cls)
        return cls

    return enter


def lua(method: F) -> F:
    """Decorator: a method that definitions may call. Arguments are values of ``objects``."""
    method.for_lua = True  # type: ignore[attr-defined]  # a mark on a function
    return method


def module_class(typename: str) -> type[Module]:
    """The class of a type; ``cudnn.X`` and ``nn.XMM`` are ``nn.X`` unless they have their own.

    Raises:
        LayerError: for an unknown type; names the nearest known one.
    """
    _import_all()
    plain = "nn." + typename.rpartition(".")[2]
    for name in (typename, plain, plain.removesuffix("MM")):
        if name in MODULES:
            return MODULES[name]
    raise LayerError(
        f"protonet has no module '{typename}'{nearest(plain, MODULES.names())}",
        hint="docs/torch7.md lists the modules that are known",
    )


@cache
def _import_all() -> None:
    """Import every file of this package: each registers its modules."""
    package = __name__.rpartition(".")[0]
    for each in iter_modules(import_module(package).__path__):
        import_module(f"{package}.{each.name}")


def create(typename: str, arguments: Sequence[Any], session: Session, line: int = 0) -> TorchObject:
    """A new object, as its constructor in Lua makes it; nil arguments are None.

    Raises:
        LayerError: for arguments that the constructor refuses.
    """
    cls = module_class(typename)
    made = cls(TorchObject(typename, line=line), session)
    made.object.version = VERSIONS.get(made.object.name, 1)
    made.begin()
    made.construct(*fitted(typename, made.construct, arguments))
    return made.object


class Module:
    """A module: reads and sets the fields of a ``TorchObject``.

    ``construct``, ``reset`` and the methods marked with ``@lua`` are what a definition calls;
    ``layers`` translates. An object that was read from a file has its fields already.
    """

    typename: ClassVar[str] = ""
    learned: ClassVar[tuple[str, ...]] = ("weight", "bias")
    """The fields that are parameters, in the order of ``module:parameters()``."""

    def __init__(self, made: TorchObject, session: Session | None = None) -> None:
        self.object = made
        self._session = session

    # The contract.

    def begin(self) -> None:
        """Set the fields that all modules have, before ``construct``."""
        self["gradInput"] = Tensor(self.session.kind)
        self["output"] = Tensor(self.session.kind)
        self["_type"] = f"torch.{self.session.kind}Tensor"

    def construct(self, *arguments: Any) -> None:
        """Set the fields as Torch7's constructor does. ``begin`` has set gradInput and output."""

    @lua
    def reset(self, stdv: float | None = None) -> None:
        """Draw the initial values, in Torch7's order."""

    # Lua's metamethods, by the names that torch.class gives them: nngraph's notation.

    @lua
    def __call__(self, *inputs: Any) -> TorchObject:
        """``module(nodes)``: a node of nngraph that takes the outputs of these."""
        return graphs.call(self.object, inputs)

    @lua
    def __unm__(self) -> TorchObject:
        """``- module``: a node without inputs."""
        return graphs.call(self.object, [])

    @lua
    def __sub__(self, following: TorchObject) -> TorchObject:
        """``node - module``: a node of the module that takes the output of this one."""
        return self.wrap(following)(self.object)

    # Translation.

    def layers(self, net: NetBuilder, x: Value) -> Value:
        """Add the layers of this module to the net; returns its output.

        Raises:
            LayerError: when the input does not fit.
        """
        raise LayerError(f"protonet has no layers for {self.object.typename}")

    # Fields.

    def __getitem__(self, name: str) -> Any:
        try:
            return self.object.fields[name]
        except KeyError:
            raise LayerError(f"{self.object.typename} has no field '{name}'") from None

    def __setitem__(self, name: str, value: Any) -> None:
        if value is None:
            self.object.fields.pop(name, None)
        else:
            self.object.fields[name] = value

    def get(self, name: str, default: Any = None) -> Any:
        """A field, or the default if it is nil."""
        value = self.object.fields.get(name)
        return default if value is None else value

    def integer(self, name: str, default: int | None = None) -> int:
        """A field that must be a whole number.

        Raises:
            LayerError: when it is missing, without a default, or something else.
        """
        value = self.get(name, default)
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if not number or not math.isfinite(value) or value != int(value):
            raise LayerError(f"{self.object.typename}: {name} must be a whole number, got {value}")
        return int(value)

    def number(self, name: str, default: float | None = None) -> float:
        """A field that must be a number."""
        value = self.get(name, default)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise LayerError(f"{self.object.typename}: {name} must be a number, got {value}")
        return float(value)

    def tensor_field(self, name: str, axes: int | None = None) -> Tensor:
        """A field that must be a tensor, with ``axes`` axes if that is given."""
        value = self.get(name)
        if not isinstance(value, Tensor):
            raise LayerError(f"{self.object.typename}: {name} must be a tensor, got {value}")
        if axes is not None and len(value.shape) != axes:
            raise LayerError(
                f"{self.object.typename}: {name} must have {axes} axes, got {len(value.shape)}"
            )
        return value

    def table_field(self, name: str) -> Table:
        """A field that must be a table."""
        value = self.get(name)
        if not isinstance(value, Table):
            raise LayerError(f"{self.object.typename}: {name} must be a table, got {value}")
        return value

    # Tensors and random numbers.

    @property
    def session(self) -> Session:
        """The session of the definition that made this module."""
        if self._session is None:
            raise LayerError(f"{self.object.typename} was read from a file: it draws no values")
        return self._session

    def tensor(self, *shape: int, fill: float = 0.0) -> Tensor:
        """A new tensor of the session's type."""
        storage = Storage(self.session.kind, elements(shape))
        if fill:
            storage.allocated()[:] = fill
        return Tensor(self.session.kind, storage, 0, tuple(shape), strides_of(tuple(shape)))

    def with_gradient(self, name: str, *shape: int) -> Tensor:
        """Set a parameter and its gradient: ``weight`` and ``gradWeight``."""
        self[name] = self.tensor(*shape)
        self[f"grad{name[0].upper()}{name[1:]}"] = self.tensor(*shape)
        made: Tensor = self[name]
        return made

    def uniform(self, name: str, bound: float) -> None:
        """Draw a tensor uniformly from [-bound, bound), if the module has it."""
        tensor = self.get(name)
        if tensor is not None:
            self.session.random.draw(tensor, "uniform", -bound, bound)

    # Inputs.

    def one(self, x: Value) -> Blob:
        """The input, which must not be a table.

        Raises:
            LayerError: for a table.
        """
        if isinstance(x, list):
            raise LayerError(f"expected a tensor, got a table of {len(x)}")
        return x

    def several(self, x: Value) -> list[Value]:
        """The input, which must be a table.

        Raises:
            LayerError: for a tensor.
        """
        if not isinstance(x, list):
            raise LayerError(f"expected a table of tensors, got a tensor of {x}")
        return x

    # Trees.

    @property
    def children(self) -> list[Module]:
        """The modules inside this one: of the field ``modules``."""
        if self.get("modules") is None:
            return []
        return [self.wrap(each) for each in self.table_field("modules").sequence]

    def wrap(self, made: Any) -> Module:
        """The class of an object inside this one."""
        if not isinstance(made, TorchObject):
            raise LayerError(f"{self.object.typename}: expected a module inside, got {made}")
        return module_class(made.typename)(made, self._session)

    def walk(self) -> Iterator[Module]:
        """The module itself and all inside it, from the outside in."""
        yield self
        for child in self.children:
            yield from child.walk()

    def parameters(self) -> Iterator[tuple[TorchObject, str]]:
        """Object and field of each parameter, in the order of ``module:parameters()``."""
        for name in self.learned:
            if isinstance(self.get(name), Tensor) and self[name].count:
                yield self.object, name
        for child in self.children:
            yield from child.parameters()

    @property
    def frozen(self) -> bool:
        """Whether the definition replaced the gradients of the parameters by a function."""
        return isinstance(self.get("accGradParameters"), Function)

    def bound(
        self,
        name: str,
        shape: Sequence[int] | None = None,
        axes: Sequence[int] | None = None,
    ) -> Bound:
        """The tensor of a field as a parameter of a layer: viewed as ``shape``, then with its axes
        in the order ``axes``.
        """
        return Bound(
            self.object,
            name,
            self.tensor_field(name),
            tuple(shape) if shape is not None else None,
            tuple(axes) if axes is not None else None,
            learned=name in self.learned and not self.frozen,
        )


class Criterion(Module):
    """A loss. ``loss`` translates instead of ``layers``."""

    learned = ()

    def begin(self) -> None:
        self["gradInput"] = Tensor(self.session.kind)
        self["output"] = 0

    def plain(self, typename: str) -> TorchObject:
        """A module inside this one, of a class without fields of its own."""
        fields = Table(
            gradInput=Tensor(self.session.kind),
            output=Tensor(self.session.kind),
            _type=f"torch.{self.session.kind}Tensor",
        )
        return TorchObject(typename, fields, self.object.line)

    @lua
    def __call__(self, *inputs: Any) -> TorchObject:
        made = create("nn.ModuleFromCriterion", [self.object], self.session, self.object.line)
        return graphs.call(made, inputs)

    def loss(self, net: NetBuilder, x: Value, target: Value) -> Blob:
        """Add the layers of the loss; returns its scalar, the sum over all items or their mean.

        Raises:
            LayerError: when input or target do not fit.
        """
        raise LayerError(f"protonet has no layers for {self.object.typename}")
