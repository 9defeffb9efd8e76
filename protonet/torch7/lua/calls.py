"""What definitions call: the one function of Python that Lua can reach."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np

from protonet.errors import LayerError, NetworkError, nearest
from protonet.torch7.lua import inherited
from protonet.torch7.lua.bridge import Bridge, LuaRaisedError
from protonet.torch7.lua.tracing import Traced, trace, trace_function
from protonet.torch7.modules.base import MODULES, Session, create, module_class
from protonet.torch7.modules.graph import nest
from protonet.torch7.objects import DTYPES, Storage, Table, Tensor, TorchObject
from protonet.torch7.random import Generator
from protonet.torch7.tensors import FUNCTIONS, METHODS, Torch, arithmetic, call, indexing
from protonet.torch7.tensors.base import describe, size_text
from protonet.torch7.tensors.creation import kind_of, new_storage, new_tensor

_LOG = 64 * 1024
"""Characters of a definition's log."""
_SHOWN = 1000
"""Elements of a tensor that is printed."""

MAKERS = ["Tensor", "Storage", *(f"{k}{t}" for k in DTYPES for t in ("Tensor", "Storage"))]
"""``torch.FloatTensor`` and the like."""

_SKIPPED = {"construct": 2, "index": 0, "assign": 0}
"""Arguments of operations that a message has in another place."""

Operation = Callable[..., Any]


class Calls:
    """The operations that prelude.lua asks for, and the state that they share."""

    def __init__(self, seed: int) -> None:
        self.bridge: Bridge  # set when Lua has started
        self.torch = Torch(Generator(seed))
        self.fallback: Callable[[], int] = int
        """Where a module is made whose line Lua does not know."""
        self.log: list[str] = []
        self._logged = 0
        self._module_methods: dict[str, frozenset[str]] = {}
        self._operations: dict[str, Operation] = {
            "assign": self._assign,
            "call": self._call,
            "connect": self._connect,
            "construct": self._construct,
            "function": self._function,
            "has module": self._has_module,
            "index": self._index,
            "length": self._length,
            "make": self._make,
            "method": self._method,
            "nest": nest,
            "methods of": lambda typename: Table.of(sorted(self.methods_of(typename))),
            "no library": self._no_library,
            "operate": self._operate,
            "print": self.print,
            "refuse": self._refuse,
            "storage": self._storage,
            "tensor": self._tensor,
            "text": self._text,
            "traced": lambda name, *given: trace(name, *given),
        }

    @property
    def session(self) -> Session:
        """What constructors share."""
        return Session(self.torch.random, self.torch.kind)

    def __call__(self, operation: str, *arguments: Any) -> tuple[Any, ...]:
        """Returns True and results, or False and a message; never raises."""
        given: list[Any] = []
        try:
            given = [self.bridge.to_python(each) for each in arguments]
            found = self._operations[operation](*given)
            results = found if isinstance(found, tuple) else (found,)
            return (True, *(self.bridge.to_lua(each) for each in results))
        except LuaRaisedError:
            return (False, "", True)
        except LayerError as error:
            hint = f" ({error.hint})" if error.hint else ""
            return (False, ascii_of(f"{error}{hint}"), False)
        except NetworkError as error:
            return (False, ascii_of(error.mistakes[0].message), False)
        except MemoryError:
            return (False, "not enough memory for tensors", False)
        except RecursionError:
            return (False, "tables or modules are nested too deep", False)
        except Exception as error:
            if type(error).__module__.startswith("lupa"):  # its time or memory is over
                told = str(error).partition("\nstack traceback:")[0] or "not enough memory"
                return (False, re.sub(r"^\w+:\d+: ", "", told), False)
            # whatever wrong arguments do to the code of a module
            what = str(given[0]) if given and isinstance(given[0], str) else operation
            told = ", ".join(describe(each) for each in given[_SKIPPED.get(operation, 1) :])
            return (False, ascii_of(f"{what} does not take ({told})"), False)

    # Modules.

    def methods_of(self, typename: str) -> frozenset[str]:
        """The methods of a type that definitions may call; none of one that is no module, such as
        graph.Graph.
        """
        if typename not in self._module_methods:
            if not self._has_module(typename):
                return frozenset()
            cls = module_class(typename)
            own = {name for name in dir(cls) if hasattr(getattr(cls, name), "for_lua")}
            self._module_methods[typename] = frozenset(own | set(inherited.METHODS))
        return self._module_methods[typename]

    def _has_module(self, typename: str) -> bool:
        try:
            module_class(typename)
        except LayerError:
            return False
        return True

    def _construct(self, typename: str, line: int, *arguments: Any) -> TorchObject:
        try:
            return create(typename, arguments, self.session, int(line) or self.fallback())
        except LayerError as error:
            told = str(error) if str(error).startswith(typename) else f"{typename}: {error}"
            raise LayerError(told, hint=error.hint) from None

    def _method(self, name: str, made: Any = None, *arguments: Any) -> Any:
        if not isinstance(made, TorchObject):
            raise LayerError(f"call {name} with a colon, as in net:{name}(...)")
        cls = module_class(made.typename)
        own = getattr(cls, name, None)
        if hasattr(own, "for_lua"):
            return getattr(cls(made, self.session), name)(*arguments)
        if name not in inherited.METHODS:
            raise LayerError(f"{made.typename} has no method '{name}'")
        return inherited.METHODS[name](self.torch, self.session, made, *arguments)

    def _call(self, made: TorchObject, *arguments: Any) -> Any:
        """``module(nodes)``, as nngraph writes it."""
        return module_class(made.typename)(made, self.session)(*arguments)

    def _connect(self, one: Any, two: Any = None) -> Any:
        """``- module`` and ``node - module``."""
        if not isinstance(one, TorchObject) or not isinstance(two, TorchObject | None):
            raise LayerError(f"cannot connect {describe(one)} and {describe(two)}")
        first = module_class(one.typename)(one, self.session)
        return first.__unm__() if two is None else first.__sub__(two)

    # Tensors.

    def _tensor(self, name: str, tensor: Any = None, *arguments: Any) -> Any:
        if not isinstance(tensor, Tensor):
            raise LayerError(f"call {name} with a colon, as in t:{name}(...)")
        if any(isinstance(each, Traced) for each in arguments):
            return trace(name, tensor, *arguments)
        return call(self.torch, name, METHODS[name], tensor, *arguments)

    def _function(self, name: str, *arguments: Any) -> Any:
        own = getattr(self, f"_torch_{name.lower()}", None)
        if own is not None:
            return own(*arguments)
        if any(isinstance(each, Traced) for each in arguments):
            return trace_function(name, *arguments)
        return call(self.torch, f"torch.{name}", FUNCTIONS[name], *arguments)

    def _torch_type(self, value: Any = None) -> str:
        if isinstance(value, TorchObject):
            return value.typename
        return self._torch_typename(value) or inherited.lua_type(value)

    def _torch_typename(self, value: Any = None) -> str | None:
        if isinstance(value, TorchObject):
            return value.typename
        if isinstance(value, Tensor | Storage):
            return f"torch.{value.kind}{type(value).__name__}"
        return None

    def _torch_istensor(self, value: Any = None) -> bool:
        return isinstance(value, Tensor | Traced)

    def _torch_isstorage(self, value: Any = None) -> bool:
        return isinstance(value, Storage)

    def _torch_istypeof(self, value: Any, typename: str) -> bool:
        if isinstance(value, TorchObject):
            return inherited.is_type_of(value, typename)
        return self._torch_typename(value) == typename

    def _torch_setdefaulttensortype(self, name: str) -> None:
        self.torch.kind = kind_of(name)

    def _torch_getdefaulttensortype(self) -> str:
        return f"torch.{self.torch.kind}Tensor"

    def _make(self, name: str, *arguments: Any) -> Tensor | Storage:
        given = list(arguments)
        while given and given[-1] is None:
            given.pop()
        if name.endswith("Tensor"):
            return new_tensor(name.removesuffix("Tensor") or self.torch.kind, *given)
        return new_storage(name.removesuffix("Storage") or self.torch.kind, *given)

    def _storage(self, name: str, storage: Any = None, *arguments: Any) -> Any:
        if not isinstance(storage, Storage):
            raise LayerError(f"call {name} with a colon, as in storage:{name}(...)")
        if name == "size":
            return storage.size
        if name == "totable":
            return Table.of(storage.data.tolist())
        whole = Tensor(storage.kind, storage, 0, (storage.size,), (1,))
        call(self.torch, name, METHODS[name], whole, *arguments)
        return storage

    def _index(self, value: Any, key: Any) -> Any:
        if isinstance(value, Traced):
            return trace("index", value, key)
        if isinstance(value, Storage):
            return indexing.get_element(value, key)
        return indexing.get_item(value, key)

    def _assign(self, value: Any, key: Any, new: Any = None) -> None:
        if isinstance(value, Traced) or isinstance(key, Traced) or isinstance(new, Traced):
            trace("assign", value, key, new)
        elif isinstance(value, Storage):
            indexing.set_element(value, key, new)
        else:
            indexing.set_item(self.torch, value, key, new)

    def _length(self, value: Any) -> Any:
        if isinstance(value, Traced):
            return trace("size", value)
        if isinstance(value, Storage):
            return value.size
        return METHODS["size"](self.torch, value)

    def _operate(self, sign: str, one: Any, two: Any = None) -> Any:
        if isinstance(one, Traced) or isinstance(two, Traced):
            return trace(sign, one, two)
        return arithmetic.operate(self.torch, sign, one, two)

    # The rest.

    def print(self, text: str) -> None:
        """Add a line to the log; what is too much is dropped."""
        if self._logged <= _LOG:
            self._logged += len(text) + 1
            self.log.append(text if self._logged <= _LOG else "...")

    def _text(self, value: Any) -> str:
        if isinstance(value, Tensor):
            rows = np.array2string(value.array, threshold=_SHOWN) if value.shape else ""
            return f"{rows}\n[torch.{value.kind}Tensor of size {size_text(value.shape)}]"
        if isinstance(value, Storage):
            return " ".join(map(str, value.data[:_SHOWN].tolist()))
        return inherited.text_of(value) if isinstance(value, TorchObject) else describe(value)

    def _refuse(self, what: str) -> None:
        raise LayerError(f"{what} is not available: definitions have no files and classes")

    def _no_library(self, name: Any = None) -> None:
        known = list(self.bridge.lua.libraries().values())
        raise LayerError(
            f"require: there is no module {describe(name)}{nearest(str(name), sorted(known))}",
            hint=f"known are {', '.join(sorted(known))}",
        )


def ascii_of(message: str) -> str:
    """A message as Lua can hold it: a character for each byte."""
    return message.encode("utf-8", "replace").decode("latin-1")


def known_modules() -> list[str]:
    """The names that ``nn.<name>`` has."""
    return [name.removeprefix("nn.") for name in MODULES.names() if name.startswith("nn.")]
