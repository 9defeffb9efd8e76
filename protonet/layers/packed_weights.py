"""Parameters that a kernel keeps packed: their values in the form of files can be released."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import ClassVar, TypeGuard

from protonet.blob import Array
from protonet.kernels.convolution import Convolve
from protonet.kernels.kernel import Call
from protonet.layers.base import Layer


class PackingLayer(Layer):
    """A layer that may keep its first parameter packed. ``build`` calls ``pack_with``."""

    changes: ClassVar[int] = 0
    """How often weights of any layer have changed."""
    _kernel: Convolve | None = None

    def pack_with(self, kernel: Convolve | None) -> None:
        """Let a kernel keep the parameter packed, if the layer keeps weights."""
        self._kernel = kernel
        if kernel is not None:
            kernel.keeps_weights, kernel.forms = self.keeps_weights, self.params[0].packed

    @property
    def packing(self) -> Convolve | None:
        """The kernel, where ``forward`` reads the parameter packed and in no other form."""
        packs = self._kernel is not None and self._kernel.packed_bytes
        return self._kernel if packs else None

    def settled(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> Call | None:
        """What ``forward`` comes to with these arrays as long as it keeps weights, after it has
        run: one function of a kernel. None if there is more to it.
        """
        return None

    def forget_weights(self) -> None:
        PackingLayer.changes += 1
        if self._kernel is not None and not self.params[0].released:
            self._kernel.forget_weights()


def packs_alone(layer: object, borrowed: Collection[int] = ()) -> TypeGuard[PackingLayer]:
    """Whether a layer needs its first parameter packed and in no other form; ``borrowed`` are the
    ids of parameters that other layers share.
    """
    if not isinstance(layer, PackingLayer) or layer.packing is None:
        return False
    param = layer.params[0]
    return param.owner is None and id(param) not in borrowed


def keep_packed(layer: PackingLayer, values: Array) -> None:
    """Pack the values of the layer's first parameter, and keep them in no other form."""
    assert layer.packing is not None
    layer.packing.pack(values)
    layer.params[0].release()


def lacks_values(layer: object) -> bool:
    """Whether a parameter of a layer is released, and not packed in the form that it reads."""
    if not isinstance(layer, PackingLayer) or not layer.params or not layer.params[0].released:
        return False
    return layer.packing is None or not layer.packing.is_packed


def packed_growth(layer: object, *, shared: bool) -> int:
    """The bytes that packed weights take more than the parameter does as it is, which is released
    unless it is ``shared`` with other layers.
    """
    if not isinstance(layer, PackingLayer) or layer.packing is None:
        return 0
    return layer.packing.packed_bytes - (0 if shared else layer.params[0].data.nbytes)
