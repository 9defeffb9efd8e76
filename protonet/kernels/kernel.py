"""One name, several implementations: a NumPy definition, and tuned versions for processors."""

from __future__ import annotations

from typing import Any, ClassVar, Self

import numpy as np

from protonet.device import Device
from protonet.kernels import cuda, native


class Kernel:
    """Array mathematics for fixed shapes: made once, when a net is built, and called often.

    A direct subclass is the definition, written on ``xp``, which the tests trust and which works
    on every device and dtype. Its subclasses with a ``processor`` are tuned versions of it:
    ``"native"`` for float32 on the CPU (``kernels/native``), ``"cuda"`` for float32 on a GPU
    (``kernels/cuda``, in the module of the same name as the definition's).
    ``make`` chooses; a tuned version may decline what it is not made for.

    Args:
        device: where the arrays live.
        dtype: of all arrays.
    """

    processor: ClassVar[str] = ""
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

    @classmethod
    def make(cls, device: Device, dtype: Any, *args: Any, **more: Any) -> Self:
        """The best version for a device and dtype; the other arguments are the definition's."""
        processor = processor_of(device)
        if processor == "cuda":
            cuda.load(cls.__module__.rpartition(".")[2])
        tuned = cls._tuned.get(processor)
        if tuned is not None and np.dtype(dtype) == np.float32 and tuned.takes(*args, **more):
            return tuned(device, dtype, *args, **more)  # type: ignore[return-value]
        return cls(device, dtype, *args, **more)

    @classmethod
    def takes(cls, *args: Any, **more: Any) -> bool:
        """Whether this version is made for such shapes."""
        return True

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
