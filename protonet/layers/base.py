"""The Layer contract: what every layer is, and what the base checks for it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from protonet.blob import Array, Param, Shape
from protonet.data.ahead import default_threads
from protonet.device import Device, RandomStream
from protonet.errors import LayerError
from protonet.precision import real_of
from protonet.proto.caffe_pb2 import TRAIN, FillerParameter, LayerParameter


class Reads(Enum):
    """What a layer's backward pass may look at, beside the gradients of its tops."""

    BOTTOMS = "bottoms"
    TOPS = "tops"


class Narrows(Enum):
    """When the tops of a layer are kept in 16 bits, in a net that is asked for that."""

    NEVER = "never"
    """Counts, indices, losses, boxes: what a rounding would spoil."""
    WITH_BOTTOMS = "with bottoms"
    """Where all bottoms are: labels and images stay as they are."""
    ALWAYS = "always"
    """Products with weights."""


Affine = Array | float
"""A number for each channel, or one for all."""


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
class Surroundings:
    """What a layer may know of the run that it is part of: settings, never arrays.

    ``folder`` is where relative file names of the prototxt are looked up after the working
    directory. ``shuffle`` and ``seed`` are the run's; ``threads`` is how many decode ahead;
    ``python_layers`` allows layers that run code which the text names, or write files.
    """

    folder: Path = field(default_factory=Path)
    seed: int = 0
    shuffle: bool = False
    threads: int = field(default_factory=default_threads)
    python_layers: bool = True

    def find(self, name: str) -> Path:
        """The path that a file name means: as Caffe reads it, else beside the text."""
        direct = Path(name)
        beside = self.folder / name
        return beside if not direct.exists() and beside.exists() else direct


class Layer:
    """One step of a net.

    ``setup`` reads ``self.spec``; ``infer`` and ``declare`` are pure; ``build`` makes scratch;
    ``forward`` and ``backward`` write into the arrays they are given and allocate nothing.

    Class attributes tell the plan what it may do:

    - ``bottoms`` and ``tops``: the least and the greatest number (None = no limit).
    - ``pairs``: as many tops as bottoms, each top made from the bottom beside it.
    - ``no_gradient``: the bottoms that never get a gradient (labels).
    - ``backward_reads``: which arrays ``backward`` looks at. From it the plan grants in-place
      memory: a top may overwrite its bottom when ``in_place`` is true and neither this layer nor
      the bottom's producer needs the old values.
    - ``in_place``: each element of a top depends only on the same element of its bottom (or the
      layer reads all of the bottom before it writes), so both may be one array.
    - ``shares_storage``: the first top is the first bottom in another shape; where the plan lets
      them share memory, ``forward`` and ``backward`` are not called. May be set in ``setup``.
    - ``dynamic``: the shapes of the tops depend on the values of the bottoms: before each
      ``forward``, ``measure`` says what they are, and the plan gives the tops those shapes.
      ``infer`` then gives the shapes to begin with. Must be false with ``shares_storage``.
    - ``recomputable``: ``forward`` is cheap, draws nothing at random and changes nothing but its
      tops (and scratch, to the same values): it may run a second time before a backward pass.
    - ``replays``: the passes queue the same work for every batch, whatever its values and however
      often they ran: a GPU may then record it and do it again without calling them. Of layers
      without bottoms nothing is recorded.
    - ``rewrites``: the places of parameters whose gradient ``backward`` writes, instead of adding
      to it, where they are ``rewritten``.
    - ``narrows``: when its tops may be kept in 16 bits; see ``takes_narrow``. May be set in
      ``setup``.
    - ``rectifies``: y = max(x, 0) and nothing else; ``is_affine``: y is a number times x plus a
      number, both of the channel (axis 1) or the same for all, which ``affine`` gives. Layers
      before may absorb these.
    - ``absorbed``: layers behind this one that its passes compute as well, in order; see
      ``absorbs``. A plan that is not fused has none.
    - ``is_loss``: the first top weighs 1 in the objective unless ``loss_weight`` says otherwise,
      and a missing top is made up.
    """

    type: ClassVar[str] = ""
    bottoms: ClassVar[tuple[int, int | None]] = (1, 1)
    tops: ClassVar[tuple[int, int | None]] = (1, 1)
    pairs: ClassVar[bool] = False
    no_gradient: frozenset[int] = frozenset()
    backward_reads: frozenset[Reads] = frozenset({Reads.BOTTOMS, Reads.TOPS})
    in_place: bool = False
    shares_storage: bool = False
    dynamic: ClassVar[bool] = False
    recomputable: bool = False
    replays: ClassVar[bool] = True
    is_loss: ClassVar[bool] = False
    rewrites: ClassVar[frozenset[int]] = frozenset()
    narrows: Narrows = Narrows.NEVER
    rectifies: bool = False
    is_affine: bool = False

    def __init__(
        self, spec: LayerParameter, phase: int = TRAIN, around: Surroundings | None = None
    ) -> None:
        self.spec = spec
        self.name = spec.name
        self.phase = phase
        self.around = around or Surroundings()
        self.params: list[Param] = []
        self.absorbed: list[Layer] = []
        self.absorbed_by: Layer | None = None
        self.device: Device
        self.random: RandomStream
        self.gradients = True
        self.dtype: Any = np.float32

    @property
    def training(self) -> bool:
        """Whether the net that holds this layer is in phase TRAIN."""
        return self.phase == TRAIN

    @property
    def carries_state(self) -> bool:
        """Whether a pass depends on the one before, so that it cannot be repeated."""
        return type(self).state is not Layer.state

    @property
    def is_view(self) -> bool:
        """Whether its top is its bottom, and its passes need not be called."""
        return self.shares_storage or self.absorbed_by is not None

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

    def takes_narrow(self, device: Device, dtype: Any, shapes: Sequence[Shape]) -> bool:
        """Whether the passes take bottoms, tops and their gradients of ``dtype``, a type of 16
        bits, beside parameters in float32. A layer that does not is given copies in float32.
        """
        return False

    def absorbs(self, follower: Layer, *, gradients: bool) -> bool:
        """Whether this layer's passes can compute ``follower``, which reads its only top (or that
        of the last layer in ``absorbed``), as well: without another pass over the values.

        What is read for the backward pass must then be said by ``fused_reads``.
        """
        return False

    def affine(self) -> tuple[Affine | None, Affine | None]:
        """Factor and shift where ``is_affine``: a vector for the channels, or one number for all;
        None for 1 and 0.
        """
        raise NotImplementedError(f"{type(self).__name__} has no affine")

    @property
    def absorbed_rectifier(self) -> bool:
        """Whether the last absorbed layer is one that ``rectifies``."""
        return bool(self.absorbed) and self.absorbed[-1].rectifies

    @property
    def fused_reads(self) -> frozenset[Reads]:
        """``backward_reads`` and what absorbed layers need; nothing of a layer that is absorbed."""
        return self.backward_reads if self.absorbed_by is None else frozenset()

    def adopt(self, weights: Sequence[np.ndarray | None]) -> Sequence[np.ndarray | None]:
        """Arrays of a file of weights as this layer keeps its parameters; None for "as it is".

        For layers whose parameters are stored in more than one form.
        """
        return weights

    def state(self) -> dict[str, Any]:
        """What an exact resume must restore beside parameters: JSON values only."""
        return {}

    def restore(self, state: dict[str, Any]) -> None:
        """Take up a ``state`` again."""

    def kept_bytes(self) -> int:
        """Bytes of data that the layer keeps in the host's memory; asked before ``build``."""
        return 0

    def close(self) -> None:
        """Release files and threads."""

    # What the base offers.

    def attach(
        self, device: Device, dtype: Any, random: RandomStream, *, gradients: bool = True
    ) -> None:
        """Give the layer its processor; the net calls it before ``build``.

        Without ``gradients``, ``backward`` is never called, and need not be prepared for.
        """
        self.device, self.dtype, self.random = device, dtype, random
        self.gradients = gradients

    def scratch(self, shape: Shape, dtype: Any = None) -> Array:
        """An uninitialised array of the layer's own."""
        return self.device.empty(shape, self.dtype if dtype is None else dtype)

    def check_arity(self) -> None:
        """Raise LayerError when the spec has too few or too many bottoms or tops."""
        for kind, names, (least, most) in (
            ("bottom", self.spec.bottom, self.bottoms),
            ("top", self.spec.top, self.tops),
        ):
            found = len(names)
            if found < least or (most is not None and found > most):
                bounds = f"{least}" if most == least else f"{least} to {most}"
                if most is None:
                    bounds = f"at least {least}"
                path = (kind, most) if most is not None and found > most else ()
                raise LayerError(f"expected {bounds} {kind} blob(s), got {found}", path)
        if self.pairs and len(self.spec.bottom) != len(self.spec.top):
            raise LayerError(
                f"expected one top for each bottom, got {len(self.spec.bottom)} bottom(s) "
                f"and {len(self.spec.top)} top(s)"
            )

    def axis(self, shape: Shape, axis: int, path: Sequence[str | int] = ()) -> int:
        """``axis`` counted from the front (negative counts from the end), checked against shape."""
        if not -len(shape) <= axis < len(shape):
            raise LayerError(
                f"axis {axis} is out of range for a bottom of shape {shape_text(shape)}", path
            )
        return axis % len(shape)


def shape_text(shape: Shape) -> str:
    """``10x1x50x50``; ``scalar`` for no axes."""
    return "x".join(str(extent) for extent in shape) or "scalar"
