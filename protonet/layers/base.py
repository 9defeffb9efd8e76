"""The layer contract: the base class of all layers, and the traits that a plan reads."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Protocol, runtime_checkable

import numpy as np

from protonet.blob import Array, Param, Pixels, Shape
from protonet.device import Device
from protonet.errors import LayerError
from protonet.host import default_threads
from protonet.kernels.random_stream import RandomStream
from protonet.precision import real_of
from protonet.proto.caffe_pb2 import TRAIN, FillerParameter, LayerParameter
from protonet.ranks.communicator import ALONE, Communicator


class Reads(Enum):
    """What a layer's backward pass reads, in addition to the gradients of its tops."""

    BOTTOMS = "bottoms"
    TOPS = "tops"


class LowPrecision(Enum):
    """When the tops of a layer are stored in 16 bits, in a net of mixed precision."""

    NEVER = "never"
    """Counts, indices, losses, boxes: values that must not be rounded."""
    WITH_BOTTOMS = "with bottoms"
    """If all bottoms are: labels and images stay in float32."""
    ALWAYS = "always"
    """Products with weights."""


class Kind(Enum):
    """The role of a layer in fusion: ``graph.fusion`` has the table of what each kind absorbs,
    written in the letters that are the values.

    A kind is affine if y is a factor times x plus a shift, for each channel (axis 1) or the same
    for all; such layers have the method ``affine`` (``layers.affine``). Any layer may be LINEAR or
    RECTIFIER. The kinds of scaling, shifting, normalization and powers are only for the types
    Scale, Bias, BatchNorm and Power, whose parameters other layers read.
    """

    CONVOLUTION = "C"
    """Of one bottom, with channels at axis 1."""
    RECTIFIABLE = "X"
    """Can apply a ReLU to its tops, and no other layer."""
    NORMALIZATION = "N"
    """With the batch's statistics."""
    FIXED_NORMALIZATION = "F"
    """With running statistics; affine."""
    SCALED_NORMALIZATION = "M"
    """With the batch's statistics, and its own scale."""
    FIXED_SCALED_NORMALIZATION = "G"
    """With running statistics, and its own scale; affine."""
    SCALE = "S"
    """A factor for each channel; affine."""
    SCALE_AND_SHIFT = "T"
    """A factor and a shift for each channel; affine."""
    SHIFT = "B"
    """A shift for each channel; affine."""
    LINEAR = "L"
    """The same factor and shift for all; affine."""
    POWER = "P"
    """A power of a linear function."""
    SUM = "A"
    """Of two bottoms, with a ReLU. A layer that it is fused into gets the other as last bottom."""
    RECTIFIER = "R"
    """y = max(x, 0) and nothing else."""


@dataclass(frozen=True)
class Traits:
    """What a plan may do with a layer: declared by the layer, read by ``graph``.

    A class declares all of it; ``setup`` may replace it if it depends on the prototxt.

    - ``backward_reads``: what ``backward`` reads. Other arrays may be overwritten by then.
    - ``in_place``: each element of a top depends only on the same element of its bottom (or the
      layer reads all of the bottom before it writes): both may be one array, as may gradients.
    - ``view``: the first top is the first bottom in another shape; in one memory no pass is called.
    - ``dynamic``: the shapes of the tops depend on values of the bottoms: ``measure`` returns them
      before each ``forward``, ``infer`` the initial ones. Must be false with ``view``.
    - ``varies``, ``reshapes_tops``: of ``Varying`` and ``ReshapesTops`` layers: shapes may change.
    - ``persistent_tops``: values that a caller writes into the tops persist unless ``forward``
      overwrites them. ``forward`` then also runs once when the tops are allocated.
    - ``tops_are_params``: if memory is not packed, the tops are views of the parameters, data and
      gradient, and the passes are not called.
    - ``one_to_one``: as many tops as bottoms, each top computed from the bottom of its index.
    - ``recomputable``: ``forward`` is cheap, deterministic and writes only its tops (and scratch,
      with the same values): it may run a second time before a backward pass.
    - ``capturable``: the passes launch the same work for every batch, independent of values and of
      the number of passes, for a CUDA graph to capture. Layers without bottoms never are.
    - ``rewrites``: the parameters whose gradient, if ``rewritten``, ``backward`` does not add to.
    - ``low_precision``: when the tops may be stored in 16 bits.
    - ``in_kernels``: the passes do all arithmetic in kernels (``Kernel.make``) that ``build``
      makes, or only move values; they take 16 bits if those do. Others get float32 copies.
    - ``pixels``: in nets without gradients blobs of 4 axes may be pixels (``layer.pixels``).
    - ``kind``: its role in fusion.
    - ``absorbs``: the passes also compute the layers in ``self.fused``: any chain that the table
      of ``graph.fusion`` allows after its kind. Without it, no layer is fused into this one.
    """

    backward_reads: frozenset[Reads] = frozenset({Reads.BOTTOMS, Reads.TOPS})
    in_place: bool = False
    view: bool = False
    dynamic: bool = False
    varies: bool = False
    reshapes_tops: bool = False
    persistent_tops: bool = False
    tops_are_params: bool = False
    one_to_one: bool = False
    recomputable: bool = False
    capturable: bool = True
    rewrites: frozenset[int] = frozenset()
    low_precision: LowPrecision = LowPrecision.NEVER
    in_kernels: bool = False
    pixels: bool = False
    kind: Kind | None = None
    absorbs: bool = False


@dataclass(frozen=True)
class Weight:
    """A parameter that a layer declares: its shape and initial values (``values`` instead of a
    filler); ``lr_mult``, ``decay_mult`` override what the prototxt says (BatchNorm's statistics).
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
    """The settings of a run that its layers may use; never arrays. Names of files are relative to
    the working directory, or ``folder``. ``threads`` decode; ``python_layers`` allows layers that
    run users' code or write files. ``ranks`` share out batches or have one each
    (``batch_per_rank``; ``sync_batch_norm``); ``shards`` have own databases.
    """

    folder: Path = field(default_factory=Path)
    seed: int = 0
    shuffle: bool = False
    threads: int = field(default_factory=default_threads)
    python_layers: bool = True
    ranks: Communicator = ALONE
    shards: Communicator | None = None
    batch_per_rank: bool = False
    sync_batch_norm: bool = False

    def find(self, name: str) -> Path:
        """Resolve a file name: in the working directory, as in Caffe, else in ``folder``."""
        direct = Path(name)
        in_folder = self.folder / name
        return in_folder if not direct.exists() and in_folder.exists() else direct


@dataclass(frozen=True)
class Fused:
    """The layers fused into one, in order: its passes compute them as well."""

    layers: tuple[Layer, ...] = ()

    @cached_property
    def rectify(self) -> bool:
        """Whether the last of them is a rectifier."""
        return bool(self.layers) and self.layers[-1].traits.kind is Kind.RECTIFIER

    @cached_property
    def adds(self) -> bool:
        """Whether one of them adds the last bottom."""
        return any(layer.traits.kind is Kind.SUM for layer in self.layers)


class Layer:
    """One step of a net.

    ``setup`` reads ``self.spec``; ``infer`` and ``declare`` are pure; ``build`` allocates scratch;
    ``forward`` and ``backward`` write into the arrays passed to them and allocate nothing.

    The layers of a plan are only set up, not built; each net runs copies of them, with ``params``,
    a ``device``, a dtype and fused layers.

    - ``bottoms`` and ``tops``: the minimum and maximum number (None = no limit).
    - ``no_gradient``: the bottoms that never get a gradient (labels).
    - ``is_loss``: the first top has loss_weight 1 by default, and a missing top is added.
    - ``traits``: what a plan may do with it.
    - ``pixels``: which blobs are pixels; only of layers whose traits allow it.
    - ``keeps_weights``: parameters change before ``forget_weights`` only: kernels may pack them.
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
        self.keeps_weights = False
        self.pixels = Pixels.NONE
        self.dtype: Any = np.float32

    @property
    def training(self) -> bool:
        """Whether the net that holds this layer is in phase TRAIN."""
        return self.phase == TRAIN

    @property
    def real(self) -> np.dtype[Any]:
        """The dtype of parameters, statistics and sums: that of values, or float32 for 16 bits."""
        return real_of(self.dtype)

    @property
    def xp(self) -> Any:
        """The array module of the device: numpy or cupy."""
        return self.device.xp

    # The contract.
    def setup(self) -> None:
        """Read ``self.spec`` into attributes; raise LayerError for invalid values."""

    def infer(self, shapes: Sequence[Shape]) -> list[Shape]:
        """The top shapes for these bottom shapes; raise LayerError if these are invalid."""
        raise NotImplementedError(f"{type(self).__name__} has no infer")

    def declare(self, shapes: Sequence[Shape]) -> list[Weight]:
        """The parameters for these bottom shapes."""
        return []

    def build(self, shapes: Sequence[Shape]) -> None:
        """Allocate scratch arrays (``self.scratch``) and kernels for these bottom shapes."""

    def measure(self, bottoms: Sequence[Array]) -> list[Shape]:
        """The shapes of the tops for these values; for ``dynamic`` layers only."""
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
        """Write each bottom gradient (None = not needed); add to each ``param.diff``."""
        raise NotImplementedError(f"{type(self).__name__} has no backward")

    def convert_weights(self, weights: Sequence[np.ndarray | None]) -> Sequence[np.ndarray | None]:
        """Convert the arrays of a weights file, of any of its forms, to this layer's parameters;
        None: unchanged.
        """
        return weights

    # Helpers.
    def forget_weights(self) -> None:
        """The parameters have changed: discard what was derived from them."""

    def scratch(self, shape: Shape, dtype: Any = None) -> Array:
        """An uninitialized array."""
        return self.device.empty(shape, self.dtype if dtype is None else dtype)

    def axis(self, shape: Shape, axis: int, path: Sequence[str | int] = ()) -> int:
        """``axis`` counted from the front (negative counts from the end), checked against shape."""
        if not -len(shape) <= axis < len(shape):
            raise LayerError(
                f"axis {axis} is out of range for a bottom of shape {shape_text(shape)}", path
            )
        return axis % len(shape)


class Owner(Layer):
    """A layer whose ``setup`` acquires what nets cannot share: files, a user's object."""

    taken = False

    def own(self, shapes: Sequence[Shape]) -> Layer:
        """The layer for a net: itself for the first net, else a new one of the same spec, set up
        for these bottom shapes.
        """
        if not self.taken:
            self.taken = True
            return self
        other = type(self)(self.spec, self.phase, self.context)
        other.setup()
        other.infer(shapes)
        return other


class Stateful(Owner):
    """A layer with files, threads, a position in a stream or other state between passes, which
    cannot be repeated.
    """

    def state(self) -> dict[str, Any]:
        """What an exact resume restores in addition to parameters: JSON values only."""
        return {}

    def restore(self, state: dict[str, Any]) -> None:
        """Restore what ``state`` returned."""

    def cached_bytes(self) -> int:
        """Bytes of data that the layer caches in host memory; called before ``build``."""
        return 0

    def close(self) -> None:
        """Release files and threads."""


@runtime_checkable
class ReshapesTops(Protocol):
    """A layer whose ``forward`` may reshape its tops: a user's own code."""

    def reshaped_tops(self) -> dict[int, np.ndarray]:
        """The tops, by index, whose shape the last ``forward`` changed."""


def shape_text(shape: Shape) -> str:
    """``10x1x50x50``; ``scalar`` for no axes."""
    return "x".join(str(extent) for extent in shape) or "scalar"
