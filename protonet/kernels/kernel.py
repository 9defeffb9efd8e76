"""One name, several implementations: a NumPy definition, and tuned versions for processors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np

from protonet.device import Device
from protonet.kernels import cuda, native
from protonet.precision import real_of


@dataclass(frozen=True)
class Condition:
    """A condition and its description, which ``docs/kernels.md`` shows.

    Args:
        words: the description, as after "where": "one or two axes".
        holds: the predicate. Of a kernel's ``requires``, for the arguments of its definition.
    """

    words: str
    holds: Callable[..., bool]


class Algorithm(NamedTuple):
    """One of several algorithms of a tuned version; the first whose condition holds is selected."""

    implementation: Any
    """A class, described by its docstring, or a description."""
    condition: Condition


OTHERWISE = Condition("otherwise", lambda *_, **__: True)


def select_algorithm(candidates: tuple[Algorithm, ...], *args: Any) -> Any:
    """The first algorithm whose condition holds for these arguments."""
    return next(each.implementation for each in candidates if each.condition.holds(*args))


NONEMPTY = Condition(
    "no empty array", lambda items, channels, places, *_: items * channels * places > 0
)
"""Of kernels over items x channels x places."""


STORED = frozenset({"float32", "bfloat16"})
"""The types that compiled kernels of CPUs store values in."""


Call = tuple[Callable[..., Any], tuple[Any, ...]]
"""What to call, and with what."""


class Kernel:
    """An array operation for fixed shapes: made once, when a net is built, and called often.

    A direct subclass is the definition, written on ``xp``, which the tests trust and which works
    on every device and dtype. Its subclasses with a ``processor`` are tuned versions of it:
    ``"native"`` on the CPU (``kernels/native``), ``"cuda"`` on a GPU (``kernels/cuda``, in the
    module of the same name as the definition's), for the ``dtypes`` that it names.
    ``make`` selects one; a tuned version may decline arguments that it does not support
    (``requires``).

    In mixed precision only values and their gradients are 16-bit: parameters, their gradients,
    statistics and the computation itself are float32.

    Args:
        device: where the arrays live.
        dtype: of all arrays, or of the values where that is of 16 bits.
    """

    processor: ClassVar[str] = ""
    moves: ClassVar[bool] = False
    """Of a definition: it only moves values, of any type."""
    dtypes: ClassVar[frozenset[str]] = frozenset({"float32"})
    """Of a tuned version: the supported dtypes."""
    instructions: ClassVar[Mapping[str, str]] = {}
    """Of a tuned version: an instruction beyond the compiled set that a dtype needs."""
    requires: ClassVar[tuple[Condition, ...]] = ()
    """Of a tuned version: what must hold for the definition's arguments."""
    algorithms: ClassVar[tuple[Algorithm, ...]] = ()
    """Of a tuned version: the algorithms that it selects from, where it has several."""
    _tuned: ClassVar[dict[str, type[Kernel]]]

    def __init_subclass__(cls, processor: str = "", **more: Any) -> None:
        super().__init_subclass__(**more)
        cls.processor = processor
        if not processor:
            cls._tuned = {}
        elif cls._tuned.setdefault(processor, cls) is not cls:
            raise TypeError(f"{cls.__name__}: there is a version for {processor} already")

    def __init__(self, device: Device, dtype: Any = np.float32) -> None:
        self.device, self.dtype = device, np.dtype(dtype)
        self.xp: Any = device.xp

    @property
    def real(self) -> np.dtype[Any]:
        """The type of parameters, statistics and sums: that of values, or float32 if 16-bit."""
        return real_of(self.dtype)

    @classmethod
    def make(cls, device: Device, dtype: Any, *args: Any, **more: Any) -> Self:
        """The best version for a device and dtype; the other arguments are the definition's."""
        asked = device.kernel_target
        tuned = cls._tuned_for(asked, dtype, args, more)
        device.note_kernel(dtype, tuned is not None or cls.moves)
        made = tuned if tuned is not None and asked is device else cls
        return made(device, dtype, *args, **more)

    @classmethod
    def _tuned_for(
        cls, device: Device, dtype: Any, args: tuple[Any, ...], more: dict[str, Any]
    ) -> type[Self] | None:
        processor = processor_of(device)
        if processor == "cuda":
            cuda.load(cls.__module__.rpartition(".")[2])
        tuned = cls._tuned.get(processor)
        if tuned is None or not tuned.stores(np.dtype(dtype).name):
            return None
        # What is tuned is a subclass, which a class variable cannot say.
        return tuned if tuned.supports(*args, **more) else None  # type: ignore[return-value]

    @classmethod
    def stores(cls, dtype: str) -> bool:
        """Whether this version supports values of a type on this processor."""
        needed = cls.instructions.get(dtype)
        return dtype in cls.dtypes and (needed is None or native.has(needed))

    @classmethod
    def supports(cls, *args: Any, **more: Any) -> bool:
        """Whether this version supports these arguments of the definition."""
        return all(each.holds(*args, **more) for each in cls.requires)

    @classmethod
    def versions(cls) -> dict[str, type[Kernel]]:
        """Of a definition: its tuned versions by processor, those for GPUs among them."""
        cuda.load(cls.__module__.rpartition(".")[2])
        return dict(cls._tuned)

    def scratch(self, shape: tuple[int, ...], dtype: Any = None) -> Any:
        """An uninitialised array of the kernel's own."""
        return self.device.empty(shape, self.dtype if dtype is None else dtype)


def processor_of(device: Device) -> str:
    """``cuda``, ``native``, or empty where only definitions can run."""
    if not device.tuned:
        return ""
    if not device.is_cpu:
        return "cuda"
    return "native" if native.load() is not None else ""
