"""A net with its weights as one ONNX model."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import onnx
from onnx import ModelProto, TensorProto, ValueInfoProto, helper

import protonet
from protonet.device import Device
from protonet.errors import Mistake, NetworkError, UsageError
from protonet.formats.atomic import atomic_path, write_atomic
from protonet.formats.caffemodel import read_weights
from protonet.graph.names import Value
from protonet.graph.net import Net
from protonet.graph.plan import Plan, Step
from protonet.graph.planning import plan_net
from protonet.layers import Layer
from protonet.layers.base import LayerContext
from protonet.onnx import arrangements, faces, values, windows  # noqa: F401 - they register converters
from protonet.onnx.conversion import CONVERTERS, OPSET, Conversion, Graph, OnnxError
from protonet.onnx.unsupported import UNSUPPORTED
from protonet.proto.caffe_pb2 import TEST
from protonet.proto.text import NetDefinition

_IR_VERSION = 8
"""The file format that goes with the operators."""

_LARGEST = 2**31 - 2**20
"""Bytes that one protobuf message can hold, with some to spare."""

_SIZES = (2, 3)
"""Two batches: what is the same for both is the same for all."""

BATCH = "N"
"""The name of an axis that is as long as the caller's batch."""


@dataclass(frozen=True)
class Exported:
    """A model, the layers whose weights the file lacked, and whether the batch is the caller's."""

    model: ModelProto
    absent: tuple[str, ...]
    any_batch: bool


def export_net(
    definition: NetDefinition,
    weights: Path | None = None,
    *,
    phase: int = TEST,
    level: int = 0,
    stages: Sequence[str] = ("deploy",),
    batch: int | None = None,
    python_layers: bool = True,
) -> Exported:
    """Convert the net that ``definition`` describes in the given state.

    The model's batch is the caller's where every layer works with batches of any size: the net is
    converted for two sizes, and the nodes must be the same. Otherwise, and with ``batch``, it is
    fixed.

    Args:
        definition: the net; ``phase``, ``level`` and ``stages`` choose its layers.
        weights: a file of weights; without one the fillers' values are written.
        phase: TEST, unless a net of training is wanted.
        level: the level of the state.
        stages: the stages of the state.
        batch: the first extent of every input; by default any, or what the text says.
        python_layers: whether the net may have layers that run code or write files.

    Raises:
        NetworkError: pointing at each layer that ONNX cannot express; ``unsupported`` has the list.
        UsageError, FormatError: for weights that cannot be read or are of another net.
    """
    context = LayerContext(Path(definition.source.name).parent, python_layers=python_layers)
    state = {"phase": phase, "level": level, "stages": stages, "context": context}

    def planned(size: int | None) -> Plan:
        return plan_net(_with_batch(definition, size), **state)  # type: ignore[arg-type]

    if batch is None and (exported := _export_for_any(planned, weights)) is not None:
        return exported
    plan = planned(batch)
    graph, absent = _convert(plan, weights)
    return Exported(_model(plan, graph, None), absent, any_batch=False)


def _export_for_any(planned: Callable[[int | None], Plan], weights: Path | None) -> Exported | None:
    """The net for batches of any size; None where it is another net for another size."""
    try:
        plans = [planned(size) for size in _SIZES]
    except NetworkError:
        return None
    if any(step.type in UNSUPPORTED for step in plans[0].steps):
        return None
    converted = [_convert(plan, weights) for plan in plans]
    if not _same(*(each[0] for each in converted)):
        return None
    graph, absent = converted[0]
    return Exported(_model(plans[0], graph, plans[1]), absent, any_batch=True)


def write_model(model: ModelProto, path: Path) -> list[Path]:
    """Write a model, whole or not at all; returns the files that were made.

    Weights of 2 GB and more stand in a second file, ``<path>.data``, as ONNX has it.

    Raises:
        UsageError, FormatError: when the folder cannot be written to, or the disk is full.
    """
    if sum(len(each.raw_data) for each in model.graph.initializer) <= _LARGEST:
        write_atomic(path, model.SerializeToString())
        return [path]
    data = path.with_name(f"{path.name}.data")
    with tempfile.TemporaryDirectory(dir=path.resolve().parent, prefix=".onnx-") as folder:
        onnx.save_model(model, f"{folder}/model", save_as_external_data=True, location=data.name)
        for made, target in (("model", path), (data.name, data)):
            with atomic_path(target) as temporary:
                shutil.move(Path(folder, made), temporary)
    return [path, data]


def _with_batch(definition: NetDefinition, size: int | None) -> NetDefinition:
    """The net with inputs of ``size`` items; as it is with None."""
    if size is None:
        return definition
    net = type(definition.net)()
    net.CopyFrom(definition.net)
    for layer in net.layer:
        for shape in layer.input_param.shape:
            if shape.dim:
                shape.dim[0] = size
    return replace(definition, net=net)


def _convert(plan: Plan, weights: Path | None) -> tuple[Graph, tuple[str, ...]]:
    """The plan as nodes whose blobs have their names, and the layers without weights."""
    try:
        _refuse_unsupported(plan)
        if not _outputs(plan):
            raise UsageError(f"{plan.definition.source.name}: no layer computes anything here")
        net = Net(plan, Device(), gradients=False, packed=True, fuse=False)
        absent: tuple[str, ...] = ()
        if weights is not None:
            absent = tuple(net.load(read_weights(weights), str(weights)).absent)
        return _Walk(plan, net.layers).run(), absent
    finally:
        plan.close()


def _outer_names(plan: Plan) -> dict[Value, str]:
    """The names of inputs and outputs: their blobs', with ``/out`` behind the name of an output
    that a layer in place left in an input's blob, since names of ONNX are written once.
    """
    names = {value: value.name for value in plan.inputs}
    taken = set(names.values())
    for value in _outputs(plan):
        names[value] = f"{value.name}/out" if value.name in taken else value.name
    return names


def _outputs(plan: Plan) -> list[Value]:
    """The outputs that layers compute; an input that nobody reads is none."""
    return [value for value in plan.outputs if value not in plan.inputs]


def _refuse_unsupported(plan: Plan) -> None:
    """Raise NetworkError with every layer whose type has no converter."""
    mistakes = []
    for index, step in enumerate(plan.steps):
        if step.type == "Input" or step.type in CONVERTERS:
            continue
        reason = UNSUPPORTED.get(step.type, "has no converter: it is a layer of your own")
        mistakes.append(_mistake(plan, index, step, reason, "type"))
    if mistakes:
        raise NetworkError(mistakes)


def _mistake(
    plan: Plan, index: int, step: Step, reason: str, *path: str | int, hint: str = ""
) -> Mistake:
    place = (*plan.definition.origins[index], *path)
    text = f'layer "{step.name}" ({step.type}) has no place in ONNX: it {reason}'
    return plan.definition.source.mistake(place, text, hint)


class _Walk:
    """Converts the steps of a plan one after the other and names what they make."""

    def __init__(self, plan: Plan, layers: Sequence[Layer]) -> None:
        self.plan, self.layers = plan, layers
        self.graph = Graph()
        self.outputs = _outputs(plan)
        self.fixed = _outer_names(plan)
        self.names: dict[Value, str] = {}

    def run(self) -> Graph:
        """The graph, whose last nodes make the outputs under their blobs' names."""
        for name in self.fixed.values():
            self.graph.unique(name)
        for value in self.plan.inputs:
            self.names[value] = value.name
        mistakes = []
        for index, step in enumerate(self.plan.steps):
            if step.type == "Input":
                continue
            try:
                self._step(step, self.layers[index])
            except OnnxError as error:
                mistakes.append(
                    _mistake(self.plan, index, step, str(error), *error.path, hint=error.hint)
                )
                for value in step.tops:
                    self.names[value] = ""
        if mistakes:
            raise NetworkError(mistakes)
        for value in self.outputs:
            self._name_output(value)
        return self.graph

    def _step(self, step: Step, layer: Layer) -> None:
        first = len(self.graph.nodes)
        bottoms = [self.names[value] for value in step.bottoms]
        found = CONVERTERS[step.type](Conversion(self.graph, step, layer, bottoms))
        tops = [found] if isinstance(found, str) else list(found)
        made = {name for node in self.graph.nodes[first:] for name in node.output}
        for value, name in zip(step.tops, tops, strict=True):
            in_place = name not in made and any(
                each.name == value.name and self.names[each] == name and each not in self.fixed
                for each in step.bottoms
            )
            self.names[value] = self._rename(name, value) if name in made or in_place else name

    def _rename(self, name: str, value: Value) -> str:
        """Give what a node makes the name of its blob; one that is overwritten gets another."""
        if value in self.fixed:
            wanted = self.fixed[value]
        elif self.plan.last[value.name] == value:
            wanted = self.graph.unique(value.name)
        else:
            wanted = self.graph.unique(f"{value.name}/before")
        for node in self.graph.nodes:
            for names in (node.input, node.output):
                if name in names:
                    names[:] = [wanted if each == name else each for each in names]
        return wanted

    def _name_output(self, value: Value) -> None:
        """Copy an output that is another blob's memory under its own name."""
        name = self.fixed[value]
        if self.names[value] != name:
            self.graph.nodes.append(
                helper.make_node("Identity", [self.names[value]], [name], name=name)
            )


def _same(one: Graph, other: Graph) -> bool:
    """Whether two graphs have the same nodes and constants."""
    return all(
        len(a) == len(b) and all(x == y for x, y in zip(a, b, strict=True))
        for a, b in ((one.nodes, other.nodes), (one.constants, other.constants))
    )


def _model(plan: Plan, graph: Graph, other: Plan | None) -> ModelProto:
    """The graph as a model; axes whose extents differ in ``other`` are the caller's."""
    moving = any(step.dynamic for step in plan.steps)
    again, names = other if other is not None else plan, _outer_names(plan)
    inputs, outputs = (
        [_info(names[one], one, two, moving=may_move) for one, two in zip(ones, twos, strict=True)]
        for ones, twos, may_move in (
            (plan.inputs, again.inputs, False),
            (_outputs(plan), _outputs(again), moving),
        )
    )
    made = helper.make_graph(
        graph.nodes,
        plan.name or "net",
        inputs,
        outputs,
        graph.constants,
    )
    model = helper.make_model(
        made,
        producer_name="protonet",
        producer_version=protonet.__version__,
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=_IR_VERSION,
    )
    if sum(len(each.raw_data) for each in graph.constants) <= _LARGEST:
        onnx.checker.check_model(model, full_check=True)
    return model


def _info(name: str, one: Value, two: Value, *, moving: bool) -> ValueInfoProto:
    """Name, type and axes of an input or output: numbers, ``N``, or None where values decide."""
    dims: list[int | str | None] = []
    for extent, again in zip(one.shape or (), two.shape or (), strict=True):
        if moving or (extent != again and (extent, again) != _SIZES):
            dims.append(None)
        else:
            dims.append(extent if extent == again else BATCH)
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, dims)
