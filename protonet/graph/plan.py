"""The plan of a net: order, shapes, gradients, shared parameters. No arrays."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from protonet.blob import Shape
from protonet.graph.names import Value
from protonet.graph.ownership import PlannedParam
from protonet.layers import Layer
from protonet.layers.base import (
    Reads,
    Stateful,
    Weight,
)
from protonet.proto.text import NetDefinition

if TYPE_CHECKING:
    from protonet.kernels.int8 import Coding


@dataclass(frozen=True, eq=False)
class Step:
    """One layer of a plan, set up, with its values and parameters.

    ``layer`` is a description without arrays; nets run copies of it. ``wanted[i]`` tells whether
    bottom i gets a gradient from this step; ``runs_backward`` whether the step computes any
    gradient; ``reads`` is what its backward pass reads.

    ``absorbed`` are the steps fused into this one, in order, and ``absorbed_by`` is the step that
    this one is fused into. ``added`` are other bottoms of absorbed steps, which the forward pass of
    this one reads after its own; ``carried`` is the bottom of an absorbed step that the fused
    layers before it compute. ``graph.fusion`` sets these. ``in_integers`` tells whether the layer
    takes and writes 8-bit codes.
    """

    layer: Layer
    bottoms: tuple[Value, ...]
    tops: tuple[Value, ...]
    params: tuple[PlannedParam, ...]
    wanted: tuple[bool, ...]
    runs_backward: bool
    reads: frozenset[Reads]
    absorbed: tuple[int, ...] = ()
    absorbed_by: int | None = None
    added: tuple[Value, ...] = ()
    carried: int = 0
    in_integers: bool = False

    @property
    def name(self) -> str:
        """The layer's name."""
        return self.layer.name

    @property
    def type(self) -> str:
        """The layer's type."""
        return self.layer.type

    @property
    def shapes(self) -> list[Shape]:
        """The shapes of the bottoms."""
        return [value.shape for value in self.bottoms]

    @property
    def weights(self) -> tuple[Weight, ...]:
        """The parameters that the layer declares."""
        return tuple(param.weight for param in self.params)

    @property
    def is_view(self) -> bool:
        """Whether the top is the bottom, so that no pass is called."""
        return self.layer.traits.view or self.absorbed_by is not None

    def beneath(self, place: int) -> Value | None:
        """The bottom that top ``place`` is, of a view or in place; None without bottoms."""
        if not self.bottoms:
            return None
        return self.bottoms[self.carried or min(place, len(self.bottoms) - 1)]

    @property
    def dynamic(self) -> bool:
        """Whether the shapes of the tops depend on the values of the bottoms."""
        return self.layer.traits.dynamic

    @property
    def can_repeat(self) -> bool:
        """Whether a second forward pass computes the same tops."""
        return bool(self.bottoms) and not (self.dynamic or isinstance(self.layer, Stateful))


@dataclass(frozen=True, eq=False)
class Plan:
    """A net before it has arrays. ``definition`` is the text after the rules.

    ``kept`` are values that can be read after a pass although layers read them, also where blobs
    share memory. ``codes`` are those of values that hold 8-bit codes (``graph.int8``). A plan is
    immutable: fusion and reshaping return a new one.
    """

    definition: NetDefinition
    phase: int
    steps: tuple[Step, ...]
    values: tuple[Value, ...]
    last: Mapping[str, Value]
    outputs: tuple[Value, ...]
    kept: frozenset[Value] = frozenset()
    codes: Mapping[Value, Coding] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The net's name; empty where the text gives none."""
        return self.definition.net.name

    @property
    def inputs(self) -> tuple[Value, ...]:
        """The tops of Input layers, which a caller fills."""
        return tuple(v for step in self.steps if step.type == "Input" for v in step.tops)

    @property
    def varying(self) -> tuple[int, ...]:
        """The steps whose tops' shapes may differ from pass to pass."""
        return tuple(at for at, step in enumerate(self.steps) if step.layer.traits.varies)

    def keeping(self, values: Iterable[Value]) -> Plan:
        """The plan that keeps these values, too."""
        return replace(self, kept=self.kept.union(values))

    def absorbed_layers(self, step: Step) -> list[Layer]:
        """The layers fused into a step."""
        return [self.steps[at].layer for at in step.absorbed]

    def with_shapes(self, shapes: Mapping[Value, Shape]) -> Plan:
        """The same net with these shapes of values."""
        changed = {
            value: tuple(shape)
            for value, shape in shapes.items()
            if self.values[value.number].shape != tuple(shape)
        }
        if not changed:
            return self
        values = tuple(
            replace(value, shape=changed[value]) if value in changed else value
            for value in self.values
        )
        steps = tuple(
            replace(
                step,
                bottoms=tuple(values[v.number] for v in step.bottoms),
                tops=tuple(values[v.number] for v in step.tops),
                added=tuple(values[v.number] for v in step.added),
            )
            if not changed.keys().isdisjoint((*step.bottoms, *step.tops, *step.added))
            else step
            for step in self.steps
        )
        return replace(
            self,
            steps=steps,
            values=values,
            last=MappingProxyType({name: values[v.number] for name, v in self.last.items()}),
            outputs=tuple(values[v.number] for v in self.outputs),
        )

    def close(self) -> None:
        """Release the files that data layers opened."""
        close_layers(step.layer for step in self.steps)


def close_layers(layers: Iterable[Layer | None]) -> None:
    """Release files and threads of stateful layers."""
    for layer in layers:
        if isinstance(layer, Stateful):
            layer.close()
