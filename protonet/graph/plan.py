"""The plan of a net: order, shapes, who needs gradients, which parameters are one. No arrays."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from protonet.blob import Shape
from protonet.errors import DataError, LayerError, Mistake, NetworkError
from protonet.graph.names import Value, Wiring, wire
from protonet.layers import Layer, layer_class
from protonet.layers.base import Surroundings, Weight, shape_text
from protonet.layers.limits import check_limits
from protonet.proto import rules
from protonet.proto.caffe_pb2 import TRAIN, NetParameter, ParamSpec
from protonet.proto.text import NetDefinition


@dataclass(eq=False)
class PlannedParam:
    """A parameter of a step: what the layer declared and what the text says of it.

    ``owner`` is the (step, index) of the layer whose parameter this one is, where
    ``param { name }`` makes two layers share; None for one of its own.
    """

    weight: Weight
    name: str
    lr_mult: float
    decay_mult: float
    owner: tuple[int, int] | None = None


@dataclass(eq=False)
class Step:
    """One layer of a plan, set up, with its values and parameters.

    ``wanted[i]`` says that bottom i gets a gradient from this step; ``runs_backward`` that the
    step has any gradient to compute.
    """

    layer: Layer
    bottoms: tuple[Value, ...]
    tops: tuple[Value, ...]
    params: tuple[PlannedParam, ...]
    wanted: tuple[bool, ...]
    runs_backward: bool = False

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
        return [value.shape or () for value in self.bottoms]

    @property
    def weights(self) -> tuple[Weight, ...]:
        """What the layer declared."""
        return tuple(param.weight for param in self.params)


@dataclass(frozen=True)
class Plan:
    """A net before it has arrays. ``definition`` is the text after the rules."""

    definition: NetDefinition
    phase: int
    steps: tuple[Step, ...]
    values: tuple[Value, ...]
    last: dict[str, Value]
    outputs: tuple[Value, ...]

    @property
    def name(self) -> str:
        """The net's name; empty where the text gives none."""
        return self.definition.net.name

    @property
    def inputs(self) -> tuple[Value, ...]:
        """The tops of Input layers: what a caller must fill."""
        return tuple(v for step in self.steps if step.type == "Input" for v in step.tops)

    def close(self) -> None:
        """Release the files that data layers opened."""
        for step in self.steps:
            step.layer.close()


def plan_net(
    definition: NetDefinition,
    *,
    phase: int,
    level: int = 0,
    stages: Sequence[str] = (),
    around: Surroundings | None = None,
) -> Plan:
    """Plan the net that ``definition`` describes in the given state.

    Raises:
        NetworkError: with every mistake that was found, each at its place in the text.
        DataError: when the text is right, but a database that it names is not.
    """
    if around is None:
        around = Surroundings(folder=Path(definition.source.name).parent)
    state = rules.state_of(definition.net, phase, level, stages)
    return _Planner(rules.keep_layers(definition, state), phase, around).plan()


def find_mistakes(
    definition: NetDefinition, given: Collection[str], around: Surroundings
) -> list[Mistake]:
    """What is wrong with the layers of a text by themselves, where no data tells shapes yet.

    Types, fields, counts and names of blobs are looked at; data layers are not, and ``given`` are
    blobs that these will make.
    """
    planner = _Planner(definition, TRAIN, around)
    planner.layers = [
        planner.set_up(index) if layer.bottom else None
        for index, layer in enumerate(definition.net.layer)
    ]
    automatic = [1 if layer is not None and layer.is_loss else 0 for layer in planner.layers]

    def complain(index: int, path: Sequence[str | int], message: str, hint: str = "") -> None:
        kind, *places = path
        if kind == "bottom" and definition.net.layer[index].bottom[int(places[0])] in given:
            return
        planner.complain(index, path, message, hint)

    wire(definition.net.layer, automatic, complain)
    for layer in planner.layers:
        if layer is not None:
            layer.close()
    return planner.mistakes


class _Planner:
    """Collects mistakes while the steps are made one after the other."""

    def __init__(self, definition: NetDefinition, phase: int, around: Surroundings) -> None:
        self.definition = definition
        self.net: NetParameter = definition.net
        self.phase = phase
        self.around = around
        self.mistakes: list[Mistake] = []
        self.data_error: DataError | None = None
        self.layers: list[Layer | None] = []

    def plan(self) -> Plan:
        self.layers = [self.set_up(index) for index in range(len(self.net.layer))]
        automatic = [1 if layer is not None and layer.is_loss else 0 for layer in self.layers]
        wiring = wire(self.net.layer, automatic, self.complain)
        declared = [self._infer(index, wiring) for index in range(len(self.layers))]
        params = self._share(declared)
        self._finish_or_raise()
        steps = tuple(
            Step(
                layer=layer,
                bottoms=tuple(v for v in wiring.bottoms[index] if v is not None),
                tops=wiring.tops[index],
                params=params[index],
                wanted=(False,) * len(wiring.bottoms[index]),
            )
            for index, layer in enumerate(self.layers)
            if layer is not None
        )
        _find_gradients(steps, self.net.force_backward)
        return Plan(
            self.definition, self.phase, steps, wiring.values, wiring.last, wiring.outputs()
        )

    def _finish_or_raise(self) -> None:
        if not self.mistakes and self.data_error is None:
            return
        for layer in self.layers:
            if layer is not None:
                layer.close()
        if self.mistakes:
            raise NetworkError(sorted(self.mistakes, key=lambda m: (m.line, m.column)))
        assert self.data_error is not None
        raise self.data_error

    def complain(self, index: int, path: Sequence[str | int], message: str, hint: str = "") -> None:
        """Note a mistake of layer ``index`` at the field that ``path`` names inside it."""
        spec = self.net.layer[index]
        place = (*self.definition.origins[index], *path)
        text = f'layer "{spec.name}" ({spec.type}): {message}'
        self.mistakes.append(self.definition.source.mistake(place, text, hint))

    def set_up(self, index: int) -> Layer | None:
        """The layer of this index, set up; None when its type is unknown."""
        spec = self.net.layer[index]
        try:
            layer = layer_class(spec.type)(spec, self.phase, self.around)
        except LayerError as error:
            self.complain(index, error.path, str(error), error.hint)
            return None
        for check in (layer.check_arity, layer.setup):
            try:
                check()
            except LayerError as error:
                self.complain(index, error.path, str(error), error.hint)
                layer.close()
                return None
            except DataError as error:
                self.data_error = self.data_error or error
                return None
        return layer

    def _infer(self, index: int, wiring: Wiring) -> list[Weight] | None:
        """Shape the tops of this layer and ask for its parameters; None where that cannot be."""
        layer = self.layers[index]
        bottoms = wiring.bottoms[index]
        if layer is None or any(value is None or value.shape is None for value in bottoms):
            return None
        shapes = [value.shape for value in bottoms if value is not None and value.shape is not None]
        try:
            tops = layer.infer(shapes)
            weights = layer.declare(shapes)
            check_limits(tops, weights)
            self._weigh(layer, wiring.tops[index])
        except LayerError as error:
            self.complain(index, error.path, self._describe(error, bottoms), error.hint)
            return None
        for value, shape in zip(wiring.tops[index], tops, strict=True):
            value.shape = tuple(shape)
        return weights

    def _describe(self, error: LayerError, bottoms: Sequence[Value | None]) -> str:
        """The error with the bottoms' shapes and makers, where it is about a bottom."""
        if error.path[:1] != ("bottom",):
            return str(error)
        found = ", ".join(
            f"'{v.name}' is {shape_text(v.shape)} from layer '{self.net.layer[v.producer].name}'"
            for v in bottoms
            if v is not None and v.shape is not None
        )
        return f"{error} ({found})"

    def _weigh(self, layer: Layer, tops: Sequence[Value]) -> None:
        """Give the tops their weights in the objective."""
        given = list(layer.spec.loss_weight)
        if given and len(given) not in (len(tops), len(layer.spec.top)):
            raise LayerError(
                f"expected no loss_weight or one for each of {len(tops)} top(s), got {len(given)}",
                ("loss_weight",),
            )
        if layer.is_loss and not given:
            given = [1.0]
        for value, weight in zip(tops, given, strict=False):
            value.loss_weight = weight

    def _share(self, declared: Sequence[list[Weight] | None]) -> list[tuple[PlannedParam, ...]]:
        """Plan the parameters of every layer; those of one name are one."""
        owners: dict[str, tuple[int, int]] = {}
        plans: list[tuple[PlannedParam, ...]] = []
        for index, weights in enumerate(declared):
            specs = self.net.layer[index].param
            if weights is not None and len(specs) > len(weights):
                self.complain(
                    index,
                    ("param", len(weights)),
                    f"{len(specs)} param entries for a layer that has {len(weights)} parameter(s)",
                )
            row: list[PlannedParam] = []
            for place, weight in enumerate(weights if weights is not None else ()):
                spec = specs[place] if place < len(specs) else ParamSpec()
                param = PlannedParam(
                    weight,
                    spec.name,
                    spec.lr_mult if weight.lr_mult is None else weight.lr_mult,
                    spec.decay_mult if weight.decay_mult is None else weight.decay_mult,
                )
                row.append(param)
                if spec.name and spec.name in owners:
                    param.owner = owners[spec.name]
                    owner_row = row if param.owner[0] == index else plans[param.owner[0]]
                    self._check_shared(index, place, param, owner_row[param.owner[1]], spec)
                elif spec.name:
                    owners[spec.name] = (index, place)
            plans.append(tuple(row))
        return plans

    def _check_shared(
        self, index: int, place: int, param: PlannedParam, owner: PlannedParam, spec: ParamSpec
    ) -> None:
        """Shapes and multipliers of a shared parameter must agree with its owner's."""
        assert param.owner is not None
        owner_layer = self.net.layer[param.owner[0]]
        owner_spec = owner_layer.param[param.owner[1]]
        ours, theirs = param.weight, owner.weight
        permissive = spec.share_mode == ParamSpec.PERMISSIVE
        agrees = ours.count == theirs.count if permissive else ours.shape == theirs.shape
        if not agrees:
            self.complain(
                index,
                ("param", place),
                f"parameter '{spec.name}' is {shape_text(ours.shape)} here, but "
                f"{shape_text(theirs.shape)} in layer '{owner_layer.name}', which owns it",
                "" if permissive else "share_mode: PERMISSIVE asks for equal counts only",
            )
        for field in ("lr_mult", "decay_mult"):
            if not spec.HasField(field):
                setattr(param, field, getattr(owner, field))
            elif not owner_spec.HasField(field):
                setattr(owner, field, getattr(param, field))
            elif getattr(spec, field) != getattr(owner_spec, field):
                self.complain(
                    index,
                    ("param", place, field),
                    f"parameter '{spec.name}' has {field} {getattr(spec, field):g} here, but "
                    f"{getattr(owner_spec, field):g} in layer '{owner_layer.name}', which owns it",
                )


def _find_gradients(steps: Sequence[Step], force: bool) -> None:
    """Mark which bottoms get gradients and which steps run backward, as Caffe decides it.

    Downwards: a value can use a gradient when its producer has parameters to learn or bottoms
    that can. Upwards: a gradient exists where a loss is reached.
    """
    useful: set[Value] = set()
    wishes: list[list[bool]] = []
    for step in steps:
        down = step.layer.spec.propagate_down
        wish = [
            (down[i] if i < len(down) else value in useful or force)
            and i not in step.layer.no_gradient
            for i, value in enumerate(step.bottoms)
        ]
        wishes.append(wish)
        if any(wish) or any(param.lr_mult != 0 for param in step.params):
            useful.update(step.tops)
    for index in range(len(steps) - 1, -1, -1):
        step, wish = steps[index], wishes[index]
        for value in step.tops:
            value.has_diff = force or value.loss_weight != 0 or value.has_diff
        learns = any(param.lr_mult != 0 for param in step.params)
        step.runs_backward = any(v.has_diff for v in step.tops) and (any(wish) or learns)
        if step.runs_backward or (force and not step.tops):
            step.wanted = tuple(wish)
            step.runs_backward = True
            for value, wanted in zip(step.bottoms, wish, strict=True):
                value.has_diff = value.has_diff or wanted
