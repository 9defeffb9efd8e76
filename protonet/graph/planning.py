"""From a definition to a plan: layers are set up and their shapes inferred one after the other,
and all mistakes are collected.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from protonet.blob import Shape
from protonet.errors import DataError, LayerError, Mistake, NetworkError
from protonet.graph.gradients import find_gradients
from protonet.graph.names import Complain, Value, Wiring, wire
from protonet.graph.ownership import plan_params
from protonet.graph.plan import Plan, Step, close_layers
from protonet.layers import Layer, layer_class
from protonet.layers.base import LayerContext, Weight, shape_text
from protonet.layers.instantiation import check_arity
from protonet.layers.limits import check_limits
from protonet.proto import rules
from protonet.proto.caffe_pb2 import TRAIN, NetParameter
from protonet.proto.paths import OF_LAYERS, paths_in
from protonet.proto.source import Where
from protonet.proto.splits import insert_splits
from protonet.proto.text import NetDefinition


def plan_net(
    definition: NetDefinition,
    *,
    phase: int,
    level: int = 0,
    stages: Sequence[str] = (),
    context: LayerContext | None = None,
    splits: bool = False,
) -> Plan:
    """Plan the net of ``definition`` in the given state.

    With ``splits`` it has the Split layers that Caffe inserts, under Caffe's names.

    Raises:
        NetworkError: with every mistake, each with its position in the text.
        DataError: when the text is correct, but a database that it names is not.
    """
    if context is None:
        context = LayerContext(folder=Path(definition.source.name).parent)
    definition = rules.in_state(definition, phase, level, stages)
    if splits:
        definition = insert_splits(definition)
    return _Planner(definition, phase, context).plan()


def find_mistakes(
    definition: NetDefinition, data_blobs: Collection[str], context: LayerContext
) -> list[Mistake]:
    """The mistakes in the layers of a text, found without data.

    Checks types, fields, counts and names of blobs, and shapes as far as the text gives them. Data
    layers are not checked; ``data_blobs`` are the blobs that they will provide.
    """
    planner = _Planner(definition, TRAIN, context)
    planner.layers = [
        planner.set_up(index) if layer.bottom or layer.type in _SHAPED else None
        for index, layer in enumerate(definition.net.layer)
    ]
    automatic = [1 if layer is not None and layer.is_loss else 0 for layer in planner.layers]

    complain = planner.excusing({"bottom": data_blobs})
    planner.infer_all(wire(definition.net.layer, automatic, complain))
    close_layers(planner.layers)
    return planner.mistakes


def find_apart(
    definition: NetDefinition, stubs: Collection[Where], data_blobs: Collection[str] | None
) -> list[Mistake]:
    """The mistakes in the layers of a text of which some are ``stubs``, found without shapes and
    files, for all states together.

    Checks types, fields and counts of blobs of whole layers; of stubs the type. ``data_blobs`` are
    those that need no layer; None: names of blobs are not checked.
    """
    planner = _Planner(definition, TRAIN, LayerContext(python_layers=False))
    layers = definition.net.layer
    whole = [origin[:2] not in stubs for origin in definition.origins]
    for index, layer in enumerate(layers):
        if whole[index] or layer.type not in _UNTYPED:
            planner.set_up_apart(index, whole[index])

    if data_blobs is None:
        return planner.mistakes
    # two layers that are never in one net may make the same blob
    alternatives = {
        top
        for layer, sound in zip(layers, whole, strict=True)
        if layer.include or layer.exclude or not sound
        for top in layer.top
    }
    complain = planner.excusing({"bottom": data_blobs, "top": alternatives})
    wire(layers, [0] * len(layers), complain)
    return planner.mistakes


_UNTYPED = ("", "NONE")
"""Types of layers without one, in today's dialect and in V1."""

_SHAPED = ("Input", "DummyData")
"""Types whose top shapes are in the text."""

_GUESSES = 20
"""After this many mistakes no nearest names are suggested any more."""


class _Planner:
    """Builds the steps one after the other and collects the mistakes."""

    def __init__(self, definition: NetDefinition, phase: int, context: LayerContext) -> None:
        self.definition = definition
        self.net: NetParameter = definition.net
        self.phase = phase
        self.context = context
        self.mistakes: list[Mistake] = []
        self.data_error: DataError | None = None
        self.layers: list[Layer | None] = []
        self.shapes: list[Shape | None] = []
        self.loss_weights: list[float] = []

    def plan(self) -> Plan:
        self.layers = [self.set_up(index) for index in range(len(self.net.layer))]
        automatic = [1 if layer is not None and layer.is_loss else 0 for layer in self.layers]
        wiring = wire(self.net.layer, automatic, self.complain)
        declared = self.infer_all(wiring)
        params = plan_params(self.net.layer, declared, self.complain)
        self._finish_or_raise()
        layers = [layer for layer in self.layers if layer is not None]
        learns = [any(param.lr_mult != 0 for param in row) for row in params]
        gradients = find_gradients(
            layers, wiring, learns, self.loss_weights, self.net.force_backward
        )
        values = self._values(wiring, gradients.reached)
        steps = tuple(
            Step(
                layer,
                tuple(values[number] for number in wiring.bottoms[index] if number is not None),
                tuple(values[number] for number in wiring.tops[index]),
                params[index],
                gradients.wanted[index],
                gradients.runs[index],
                layer.traits.backward_reads,
            )
            for index, layer in enumerate(layers)
        )
        return Plan(
            self.definition,
            self.phase,
            steps,
            values,
            MappingProxyType({name: values[n] for name, n in wiring.last.items()}),
            tuple(values[number] for number in wiring.outputs()),
        )

    def _values(self, wiring: Wiring, reached: Sequence[bool]) -> tuple[Value, ...]:
        return tuple(
            Value(
                number,
                writing.name,
                writing.producer,
                writing.place,
                self.shapes[number] or (),
                self.loss_weights[number],
                wiring.consumers[number],
                reached[number],
            )
            for number, writing in enumerate(wiring.writings)
        )

    def _finish_or_raise(self) -> None:
        if not self.mistakes and self.data_error is None:
            return
        close_layers(self.layers)
        if self.mistakes:
            raise NetworkError(sorted(self.mistakes, key=lambda m: (m.line, m.column)))
        assert self.data_error is not None
        raise self.data_error

    def complain(self, index: int, path: Sequence[str | int], message: str, hint: str = "") -> None:
        """Record a mistake of layer ``index`` at the field ``path`` inside it."""
        spec = self.net.layer[index]
        place = (*self.definition.origins[index], *path)
        text = f'layer "{spec.name}" ({spec.type}): {message}'
        self.mistakes.append(self.definition.source.mistake(place, text, hint))

    def excusing(self, blobs: Mapping[str, Collection[str]]) -> Complain:
        """``complain``, but for mistakes of these bottoms and tops."""

        def complain(index: int, path: Sequence[str | int], message: str, hint: str = "") -> None:
            kind, *places = path
            named = blobs.get(str(kind))
            if named and getattr(self.net.layer[index], str(kind))[int(places[0])] in named:
                return
            self.complain(index, path, message, hint)

        return complain

    def set_up(self, index: int) -> Layer | None:
        """The layer of this index after ``setup``; None if that fails."""
        spec = self.net.layer[index]
        try:
            guess = len(self.mistakes) < _GUESSES
            layer = layer_class(spec.type, guess=guess)(spec, self.phase, self.context)
        except LayerError as error:
            self.complain(index, error.path, str(error), error.hint)
            return None
        try:
            check_arity(layer)
            layer.setup()
        except LayerError as error:
            self.complain(index, error.path, str(error), error.hint)
            close_layers([layer])
            return None
        except DataError as error:
            self.data_error = self.data_error or error
            return None
        return layer

    def set_up_apart(self, index: int, whole: bool) -> None:
        """Complain about the type; of a ``whole`` layer about what ``setup`` finds without files
        and users' code.
        """
        spec = self.net.layer[index]
        closed = spec.type == "Python" or next(paths_in(spec, OF_LAYERS), None) is not None
        if whole and (spec.bottom or spec.type in _SHAPED) and not closed:
            close_layers([self.set_up(index)])
            return
        try:
            layer_class(spec.type, guess=len(self.mistakes) < _GUESSES)
        except LayerError as error:
            self.complain(index, error.path, str(error), error.hint)

    def infer_all(self, wiring: Wiring) -> list[list[Weight] | None]:
        """Infer all top shapes, as far as possible; returns the parameters of each layer."""
        self.shapes = [None] * len(wiring.writings)
        self.loss_weights = [0.0] * len(wiring.writings)
        return [self._infer(index, wiring) for index in range(len(self.layers))]

    def _infer(self, index: int, wiring: Wiring) -> list[Weight] | None:
        """Infer the shapes of a layer's tops; returns its parameters, None if that fails."""
        layer = self.layers[index]
        bottoms = [number for number in wiring.bottoms[index] if number is not None]
        shapes = [shape for n in bottoms if (shape := self.shapes[n]) is not None]
        if layer is None or len(shapes) < len(wiring.bottoms[index]):
            return None
        try:
            tops = layer.infer(shapes)
            weights = layer.declare(shapes)
            check_limits(tops, weights)
            loss_weights = _loss_weights(layer, len(wiring.tops[index]))
        except LayerError as error:
            self.complain(index, error.path, self._describe(error, bottoms, wiring), error.hint)
            return None
        for number, shape in zip(wiring.tops[index], tops, strict=True):
            self.shapes[number] = tuple(shape)
        for number, weight in zip(wiring.tops[index], loss_weights, strict=False):
            self.loss_weights[number] = weight
        return weights

    def _describe(self, error: LayerError, bottoms: Sequence[int], wiring: Wiring) -> str:
        """The error with the bottoms' shapes and producers, if it is about a bottom."""
        if error.path[:1] != ("bottom",):
            return str(error)
        made = [(wiring.writings[number], self.shapes[number] or ()) for number in bottoms]
        bottom_shapes = ", ".join(
            f"'{w.name}' is {shape_text(shape)} from layer '{self.net.layer[w.producer].name}'"
            for w, shape in made
        )
        return f"{error} ({bottom_shapes})"


def _loss_weights(layer: Layer, tops: int) -> list[float]:
    """The loss weights of the tops: those of the text, else 1 for the first top of a loss."""
    weights = list(layer.spec.loss_weight)
    if weights and len(weights) not in (tops, len(layer.spec.top)):
        raise LayerError(
            f"expected no loss_weight or one for each of {tops} top(s), got {len(weights)}",
            ("loss_weight",),
        )
    return [1.0] if layer.is_loss and not weights else weights
