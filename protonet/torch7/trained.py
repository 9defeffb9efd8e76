"""A trained model as DIGITS' Torch wrapper saved it: after ``evaluate`` and ``clearState``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from protonet.blob import Shape
from protonet.errors import FormatError
from protonet.proto.source import Source
from protonet.torch7 import serial
from protonet.torch7.builder import Blob, NetBuilder, Translatable, Value
from protonet.torch7.deployed import INPUT
from protonet.torch7.models import objects_in, read_model, tree
from protonet.torch7.network import TorchNet, inputs_of, translate
from protonet.torch7.objects import Function, Table, Tensor, TorchObject
from protonet.torch7.parameters import flatten, parameters_of

Values = Mapping[str, Sequence[np.ndarray | None]]

_BUFFERS = {
    "BatchNormalization": ("save_mean", "save_std"),
    "Linear": ("addBuffer",),
    "SpatialBatchNormalization": ("save_mean", "save_std"),
    "SpatialConvolution": ("finput", "fgradInput"),
    "SpatialConvolutionMM": ("finput", "fgradInput"),
    "SpatialCrossMapLRN": ("scale",),
    "SpatialDilatedConvolution": ("finput", "fgradInput"),
    "SpatialFullConvolution": ("finput", "fgradInput"),
    "VolumetricBatchNormalization": ("save_mean", "save_std"),
    "VolumetricConvolution": ("finput", "fgradInput"),
}
"""Fields that a first pass makes; ``clearState`` leaves empty tensors in them."""

_POOLINGS = {
    "SpatialAdaptiveMaxPooling": (),
    "SpatialDilatedMaxPooling": ("iheight", "iwidth"),
    "SpatialMaxPooling": ("iheight", "iwidth"),
    "TemporalMaxPooling": (),
    "VolumetricDilatedMaxPooling": ("itime", "iheight", "iwidth"),
    "VolumetricMaxPooling": ("itime", "iheight", "iwidth"),
}
"""Modules with indices of maxima, and the fields in which they remember their input's size."""


class ModelWriter:
    """Writes a model with the weights that its net has learned.

    Args:
        path: the .t7 file of the model, as the definition made it.
        shape: of the net's input, with the batch axis.

    Raises:
        UsageError, FormatError, NetworkError: as ``read_model``; for a shape that does not fit.
    """

    def __init__(self, path: Path, shape: Shape) -> None:
        self._model = read_model(path)
        net = _Watching(Source(str(path), ""))
        self._net = translate(self._model, inputs_of(net, [shape], INPUT), net)
        self._sizes = net.sizes

    def write(self, weights: Values, name: str, path: Path, flat_path: Path) -> None:
        """Write the model to ``path``, and all weights as one vector to ``flat_path``.

        Raises:
            FormatError: when ``weights``, from the file ``name``, do not fit, or the disk is full.
        """
        put_weights(self._net, weights, name)
        flat = finish(self._model, self._sizes)
        serial.save(flat_path, flat)
        serial.save(path, self._model)


class _Watching(NetBuilder):
    """A builder that remembers the shape of the input of each module, by its identity."""

    def __init__(self, source: Source) -> None:
        super().__init__(source)
        self.sizes: dict[int, Shape] = {}

    def add(self, module: Translatable, x: Value) -> Value:
        """Remember the shape, and add."""
        if isinstance(x, Blob):
            self.sizes[id(module.object)] = x.shape
        return super().add(module, x)


def put_weights(net: TorchNet, weights: Values, name: str) -> None:
    """Set the tensors of a translated model from the parameters of its layers.

    Raises:
        FormatError: when ``weights``, from the file ``name``, lacks one or has another shape.
    """
    for each in net.placed:
        params = weights.get(each.layer, ())
        values = params[each.index] if each.index < len(params) else None
        place = f"{name}: layer '{each.layer}' parameter {each.index}"
        if values is None:
            raise FormatError(f"{place} is missing")
        if values.size != int(np.prod(each.shape)):
            raise FormatError(f"{place} has shape {values.shape}; expected {each.shape}")
        each.bound.tensor.array[...] = each.bound.to_tensor(values.reshape(each.shape))


def finish(model: TorchObject, sizes: Mapping[int, Shape]) -> Tensor:
    """Bring a model into the form in which the wrapper saved it; returns all weights as a vector.

    All parameters share one storage, all gradients another. Modules are in evaluate, and without
    outputs. ``sizes`` has the shape of the input of modules by their identity, as poolings
    remember it.
    """
    values, gradients = parameters_of(model)
    flat = flatten(values)
    flatten(gradients)
    for each in objects_in(model):
        for name in [name for name, value in each.fields.items() if isinstance(value, Function)]:
            del each.fields[name]
    for each in tree(model):
        _clear(each, sizes.get(id(each)))
    return flat


def _clear(made: TorchObject, size: Shape | None) -> None:
    fields, kind = made.fields, _kind(made)
    fields["train"] = False
    for name in ("output", "gradInput"):
        fields[name] = Table() if isinstance(fields.get(name), Table) else Tensor(kind)
    own = made.typename.startswith("nn.")  # modules of cudnn have other buffers
    for name in _BUFFERS.get(made.name, ()) if own else ():
        fields[name] = Tensor(kind)
    if own and made.name in _POOLINGS:
        fields["indices"] = Tensor("CudaLong" if kind.startswith("Cuda") else "Long")
        remembered = _POOLINGS[made.name]
        if size is not None and remembered:
            fields.update(zip(remembered, size[-len(remembered) :], strict=True))
    for name in ("noise", "buffer"):
        if isinstance(fields.get(name), Tensor):
            fields[name] = Tensor(kind)


def _kind(made: TorchObject) -> str:
    """The kind of the module's tensors: ``Float`` of ``torch.FloatTensor``."""
    typename = made.fields.get("_type")
    if not isinstance(typename, str):
        return "Float"
    return typename.removeprefix("torch.").removesuffix("Tensor")
