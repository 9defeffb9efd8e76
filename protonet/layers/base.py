"""The Layer contract: what every layer is, and what the base checks for it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any, ClassVar, Protocol, runtime_checkable

import numpy as np

from protonet.blob import Array, Param, Shape
from protonet.device import Device
from protonet.errors import LayerError
from protonet.host import default_threads
from protonet.kernels.random_stream import RandomStream
from protonet.precision import real_of
from protonet.proto.caffe_pb2 import TRAIN, FillerParameter, LayerParameter


class Reads(Enum):
    """What a layer's backward pass may look at, beside the gradients of its tops."""

    BOTTOMS = "bottoms"
    TOPS = "tops"


class LowPrecision(Enum):
    """When the tops of a layer are stored in 16 bits, in a net of mixed precision."""

    NEVER = "never"
    """Counts, indices, losses, boxes: values that rounding would spoil."""
    WITH_BOTTOMS = "with bottoms"
    """When all bottoms are: labels and images stay in float32."""
    ALWAYS = "always"
    """Products with weights."""


class Kind(Enum):
    """What a layer is to the layers around it, which may be fused with it: ``graph.fusion`` has
    the table of what each kind absorbs. The values are the letters that the table is written in.

    Affine are kinds whose y is a number times x plus a number, of the channel (axis 1) or the same
    for all; such layers have the method ``affine`` (``layers.affine``).

    LINEAR and RECTIFIER are for any layer that is one. Those of scaling, shifting, normalizing and
    powers are the types Scale, Bias, BatchNorm and Power: their neighbours read their parameters.
    """

    CONVOLUTION = "C"
    """Of one bottom, with channels at axis 1."""
    RECTIFIABLE = "X"
    """Can rectify what it makes, and no more."""
    NORMALIZATION = "N"
    """With the batch's statistics."""
    FIXED_NORMALIZATION = "F"
    """With given statistics; affine."""
    SCALED_NORMALIZATION = "M"
    """With the batch's statistics, and factors of its own."""
    FIXED_SCALED_NORMALIZATION = "G"
    """With given statistics, and factors of its own; affine."""
    SCALE = "S"
    """A factor for each channel; affine."""
    SCALE_AND_SHIFT = "T"
    """Both for each channel; affine."""
    SHIFT = "B"
    """A shift for each channel; affine."""
    LINEAR = "L"
    """The same factor and shift for all; affine."""
    POWER = "P"
    """A power of what is linear."""
    RECTIFIER = "R"
    """y = max(x, 0) and nothing else."""


@dataclass(frozen=True)
class Traits:
    """What a plan may do with a layer, as data: declared by the layer, read by ``graph``.

    A class declares it whole; ``setup`` may replace it where the text decides.

    - ``backward_reads``: which arrays ``backward`` looks at. What it does not look at may be
      overwritten by then.
    - ``in_place``: each element of a top depends only on the same element of its bottom (or the
      layer reads all of the bottom before it writes), so both may be one array, and so may their
      gradients.
    - ``view``: the first top is the first bottom in another shape; where both share memory,
      ``forward`` and ``backward`` are not called.
    - ``dynamic``: the shapes of the tops depend on the values of the bottoms: before each
      ``forward``, ``measure`` says what they are, and the plan gives the tops those shapes.
      ``infer`` then gives the shapes to begin with. Must be false with ``view``.
    - ``persistent_tops``: what a caller writes into the tops stays, where ``forward`` does not write
      it anew. ``forward`` is then also run once when the tops are made.
    - ``tops_are_params``: the tops are its parameters, data and gradient, where memory is not packed:
      its passes are not called then.
    - ``one_to_one``: as many tops as bottoms, each top made from the bottom beside it.
    - ``recomputable``: ``forward`` is cheap, draws nothing at random and changes nothing but its
      tops (and scratch, to the same values): it may run a second time before a backward pass.
    - ``capturable``: the passes queue the same work for every batch, whatever its values and
      however often they ran, so that a CUDA graph can capture them. Layers without bottoms are
      never captured.
    - ``rewrites``: the places of parameters whose gradient ``backward`` writes, instead of adding
      to it, where they are ``rewritten``.
    - ``low_precision``: when the tops may be stored in 16 bits.
    - ``in_kernels``: the passes do all arithmetic with values in kernels (``Kernel.make``) that
      ``build`` makes, or only move values; so that they take 16 bits where those kernels do. A
      layer that does not is given copies in float32.
    - ``kind``: what it is to layers around it that may be fused with it.
    - ``absorbs``: the passes compute the layers in ``self.fused`` as well, whatever the table of
      ``graph.fusion`` has behind a layer of its kind. Without it, none are put there.
    """

    backward_reads: frozenset[Reads] = frozenset({Reads.BOTTOMS, Reads.TOPS})
    in_place: bool = False
    view: bool = False
    dynamic: bool = False
    persistent_tops: bool = False
    tops_are_params: bool = False
    one_to_one: bool = False
    recomputable: bool = False
    capturable: bool = True
    rewrites: frozenset[int] = frozenset()
    low_precision: LowPrecision = LowPrecision.NEVER
    in_kernels: bool = False
    kind: Kind | None = None
    absorbs: bool = False


@dataclass(frozen=True)
class Weight:
    """A parameter that a layer declares: its shape and how it is filled.

    ``lr_mult`` and ``decay_mult`` override what the prototxt says (BatchNorm's statistics);
    ``values`` are used instead of a filler.
    """

    shape: Shape
    filler: FillerParameter | None = None
    lr_mult: float | None = None
    decay_mult: float | None = None
    values: np.ndarray | None = None

    @property
    def count(self) -> int:
        return math.prod(self.shape)


@dataclass(frozen=True)
class LayerContext:
    """The settings of a run that its layers may use; never arrays.

    Relative file names of the prototxt are resolved against the working directory, then against
    ``folder``. ``shuffle`` and ``seed`` are the run's; ``threads`` is the number of decoding
    threads; ``python_layers`` allows layers that run code named in the text, or write files.
    """

    folder: Path = field(default_factory=Path)
    seed: int = 0
    shuffle: bool = False
    threads: int = field(default_factory=default_threads)
    python_layers: bool = True

    def find(self, name: str) -> Path:
        """Resolve a file name: in the working directory, as in Caffe, else in ``folder``."""
        direct = Path(name)
        beside = self.folder / name
        return beside if not direct.exists() and beside.exists() else direct


@dataclass(frozen=True)
class Fused:
    """The layers behind one that its passes compute as well, in order; none by themselves.

    ``rectify`` says that the last of them is a rectifier.
    """

    layers: tuple[Layer, ...] = ()

    @property
    def rectify(self) -> bool:
        return bool(self.layers) and self.layers[-1].traits.kind is Kind.RECTIFIER


class Layer:
    """One step of a net.

    ``setup`` reads ``self.spec``; ``infer`` and ``declare`` are pure; ``build`` makes scratch;
    ``forward`` and ``backward`` write into the arrays they are given and allocate nothing.

    A plan holds layers as descriptions, after ``setup``; each net runs copies of its own, with
    ``params``, a ``device``, types and what is fused.

    - ``bottoms`` and ``tops``: the least and the greatest number (None = no limit).
    - ``no_gradient``: the bottoms that never get a gradient (labels).
    - ``is_loss``: the first top weighs 1 in the objective unless ``loss_weight`` says otherwise,
      and a missing top is made up.
    - ``traits``: what a plan may do with it.
    """

    type: ClassVar[str] = ""
    bottoms: ClassVar[tuple[int, int | None]] = (1, 1)
    tops: ClassVar[tuple[int, int | None]] = (1, 1)
    is_loss: ClassVar[bool] = False
    no_gradient: frozenset[int] = frozenset()
    traits: Traits = Traits()

    def __init__(
        self, spec: LayerParameter, phase: int = TRAIN, context: LayerContext | None = None
    ) -> None:
        self.spec = spec
        self.name = spec.name
        self.phase = phase
        self.context = context or LayerContext()
        self.params: list[Param] = []
        self.fused = Fused()
        self.device: Device
        self.random: RandomStream
        self.gradients = True
        self.dtype: Any = np.float32

    @property
    def training(self) -> bool:
        """Whether the net that holds this layer is in phase TRAIN."""
        return self.phase == TRAIN

    @property
    def real(self) -> np.dtype[Any]:
        """The type of parameters, statistics and sums: the values', or float32 beside 16 bits."""
        return real_of(self.dtype)

    @property
    def xp(self) -> Any:
        """The array module of the device: numpy or cupy."""
        return self.device.xp

    # The contract.

    def setup(self) -> None:
        """Read ``self.spec`` into attributes; raise LayerError for values that cannot be."""

    def infer(self, shapes: Sequence[Shape]) -> list[Shape]:
        """Bottom shapes to top shapes; raise LayerError where they do not fit."""
        raise NotImplementedError(f"{type(self).__name__} has no infer")

    def declare(self, shapes: Sequence[Shape]) -> list[Weight]:
        """The parameters for these bottom shapes."""
        return []

    def build(self, shapes: Sequence[Shape]) -> None:
        """Make scratch arrays (``self.scratch``) for these bottom shapes."""

    def measure(self, bottoms: Sequence[Array]) -> list[Shape]:
        """The shapes of the tops for these values; of ``dynamic`` layers only."""
        raise NotImplementedError(f"{type(self).__name__} has no measure")

    def forward(self, bottoms: Sequence[Array], tops: Sequence[Array]) -> None:
        """Write the tops."""
        raise NotImplementedError(f"{type(self).__name__} has no forward")

    def backward(
        self,
        dtops: Sequence[Array],
        bottoms: Sequence[Array],
        tops: Sequence[Array],
        dbottoms: Sequence[Array | None],
    ) -> None:
        """Write each wanted bottom gradient (None = not wanted); add to each ``param.diff``."""
        raise NotImplementedError(f"{type(self).__name__} has no backward")

    def adopt(self, weights: Sequence[np.ndarray | None]) -> Sequence[np.ndarray | None]:
        """Arrays of a file of weights as this layer keeps its parameters; None for "as it is".

        For layers whose parameters are stored in more than one form.
        """
        return weights

    # What the base offers.

    def scratch(self, shape: Shape, dtype: Any = None) -> Array:
        """An uninitialised array of the layer's own."""
        return self.device.empty(shape, self.dtype if dtype is None else dtype)

    def axis(self, shape: Shape, axis: int, path: Sequence[str | int] = ()) -> int:
        """``axis`` counted from the front (negative counts from the end), checked against shape."""
        if not -len(shape) <= axis < len(shape):
            raise LayerError(
                f"axis {axis} is out of range for a bottom of shape {shape_text(shape)}", path
            )
        return axis % len(shape)


class Owner(Layer):
    """A layer whose ``setup`` takes what one net alone can use: files, a place in a stream, a
    user's object.
    """

    taken = False

    def own(self, shapes: Sequence[Shape]) -> Layer:
        """The layer for a net: itself for the first that asks, else another of the same spec,
        set up anew for these bottom shapes.
        """
        if not self.taken:
            self.taken = True
            return self
        other = type(self)(self.spec, self.phase, self.context)
        other.setup()
        other.infer(shapes)
        return other


class Stateful(Owner):
    """A layer that loads data, or keeps state from pass to pass: its passes cannot be repeated.

    Layers with files, threads or a position in a stream derive from it.
    """

    def state(self) -> dict[str, Any]:
        """What an exact resume must restore in addition to parameters: JSON values only."""
        return {}

    def restore(self, state: dict[str, Any]) -> None:
        """Restore a ``state``."""

    def cached_bytes(self) -> int:
        """Bytes of data that the layer caches in host memory; called before ``build``."""
        return 0

    def close(self) -> None:
        """Release files and threads."""


@runtime_checkable
class ReshapesTops(Protocol):
    """A layer whose ``forward`` may reshape its tops: a user's own code."""

    def reshaped_tops(self) -> dict[int, np.ndarray]:
        """The tops, by index, that the last ``forward`` made in other shapes than it was given."""


def shape_text(shape: Shape) -> str:
    """``10x1x50x50``; ``scalar`` for no axes."""
    return "x".join(str(extent) for extent in shape) or "scalar"
