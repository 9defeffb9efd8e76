"""Which layers of a net take the weights of a file: found out without a net."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from protonet.blob import Shape
from protonet.formats.blobs import shapes_fit
from protonet.graph.plan import Plan, Step
from protonet.layers.base import shape_text

LOADED, DIFFERS, NEW = "loaded", "differs", "new"
"""What becomes of a layer: it takes its weights; they have other shapes; the file has none."""


@dataclass(frozen=True)
class LayerWeights:
    """A layer with parameters: ``state``, the shapes that it expects, and those found in the file.

    A shape found is () for a parameter that another layer's entry holds.
    """

    name: str
    type: str
    state: str
    expected: tuple[Shape, ...]
    found: tuple[Shape, ...] = ()

    @property
    def told(self) -> str:
        """What differs, as text."""
        found = ", ".join(map(shape_text, self.found)) or "none"
        return f"found {found}, expected {', '.join(map(shape_text, self.expected))}"


@dataclass(frozen=True)
class UnusedWeights:
    """Weights of a file for a layer that the net does not have."""

    name: str
    found: tuple[Shape, ...]


@dataclass(frozen=True)
class WeightsReport:
    """What a net takes of files of weights; the layers in their order."""

    layers: tuple[LayerWeights, ...] = ()
    unused: tuple[UnusedWeights, ...] = ()

    def names(self, state: str) -> list[str]:
        """The names of the layers in a state."""
        return [layer.name for layer in self.layers if layer.state == state]

    def merged(self, later: WeightsReport) -> WeightsReport:
        """The report after a further file is loaded."""
        layers = []
        for one, two in zip(self.layers, later.layers, strict=True):
            if one.state == DIFFERS or two.state == NEW:
                layers.append(one)
            else:
                layers.append(two)
        return WeightsReport(tuple(layers), (*self.unused, *later.unused))


def weights_report(plan: Plan, weights: Mapping[str, Sequence[np.ndarray | None]]) -> WeightsReport:
    """What the net of a plan takes of the weights, by the rules of ``Net.load``."""
    places = [at for at, step in enumerate(plan.steps) if step.params]
    layers = [_layer(plan.steps[at], weights.get(plan.steps[at].name)) for at in places]
    owners = [
        {param.owner or (at, index) for index, param in enumerate(plan.steps[at].params)}
        for at in places
    ]
    pairs = list(zip(layers, owners, strict=True))
    filled = {each for layer, own in pairs if layer.state == LOADED for each in own}
    shared = tuple(
        replace(layer, state=LOADED) if layer.state == NEW and own <= filled else layer
        for layer, own in pairs
    )
    known = {layer.name for layer in layers}
    unused = tuple(
        UnusedWeights(name, _shapes(arrays))
        for name, arrays in weights.items()
        if name not in known and arrays
    )
    return WeightsReport(shared, unused)


def _layer(step: Step, arrays: Sequence[np.ndarray | None] | None) -> LayerWeights:
    """What becomes of a layer."""
    expected = tuple(param.weight.shape for param in step.params)
    layer = LayerWeights(step.name, step.type, NEW, expected)
    if arrays is None:
        return layer
    own = step.layer.convert_weights(arrays) if arrays else arrays
    fits = len(own) == len(expected) and all(
        array is None or shapes_fit(array.shape, shape)
        for array, shape in zip(own, expected, strict=True)
    )
    return replace(layer, state=LOADED if fits else DIFFERS, found=_shapes(arrays))


def _shapes(arrays: Sequence[np.ndarray | None]) -> tuple[Shape, ...]:
    return tuple(() if array is None else array.shape for array in arrays)


def report_of_files(
    plan: Plan, files: Iterable[Mapping[str, Sequence[np.ndarray | None]]]
) -> WeightsReport:
    """The report after all files are loaded in order."""
    found: WeightsReport | None = None
    for each in files:
        report = weights_report(plan, each)
        found = report if found is None else found.merged(report)
    return found or WeightsReport()
