"""A net with its weights as one ONNX model."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import onnx
from onnx import ModelProto, TensorProto, ValueInfoProto, helper

import protonet
from protonet.device import Device
from protonet.errors import Mistake, NetworkError, UsageError
from protonet.formats.atomic import atomic_path, write_atomic
from protonet.formats.caffemodel import Weights, read_weights
from protonet.graph.names import Value
from protonet.graph.net import Net
from protonet.graph.plan import Plan, Step
from protonet.graph.planning import plan_net
from protonet.layers import Layer
from protonet.layers.base import LayerContext
from protonet.onnx import (  # noqa: F401 - they register converters
    arrangements,
    comparisons,
    face_nets,
    flow,
    functions,
    matrices,
    similarities,
    values,
    windows,
)
from protonet.onnx.conversion import CONVERTERS, OPSET, Conversion, Graph, OnnxError
from protonet.onnx.unsupported import UNSUPPORTED
from protonet.proto.caffe_pb2 import TEST
from protonet.proto.text import NetDefinition

_IR_VERSION = 8
"""The file format that goes with the operators."""

_LARGEST = 2**31 - 2**20
"""The size limit of a protobuf message, with a margin."""

_SIZES = (2, 3)
"""Two batch sizes: a graph equal for both is valid for all."""

BATCH = "N"
"""The name of the dynamic batch axis."""


@dataclass(frozen=True)
class Exported:
    """A model, the layers without weights in the file, and whether the batch size is dynamic."""

    model: ModelProto
    absent: tuple[str, ...]
    any_batch: bool


def export_net(
    definition: NetDefinition,
    weights: Path | Weights | None = None,
    *,
    phase: int = TEST,
    level: int = 0,
    stages: Sequence[str] = ("deploy",),
    batch: int | None = None,
    python_layers: bool = True,
) -> Exported:
    """Convert the net of ``definition`` in the given state.

    The batch size is dynamic if every layer allows it: the net is converted for two sizes, and the
    nodes must be equal. Otherwise, and with ``batch``, it is fixed.

    Args:
        definition: the net; ``phase``, ``level`` and ``stages`` choose its layers.
        weights: a file of weights, or weights by layer name; without one the fillers' values.
        phase: TEST, or TRAIN for a training net.
        level: the level of the state.
        stages: the stages of the state.
        batch: the first extent of every input; by default dynamic, else that of the text.
        python_layers: whether the net may have layers that run code or write files.

    Raises:
        NetworkError: pointing at each layer that ONNX cannot express; ``unsupported`` has the list.
        UsageError, FormatError: for weights that cannot be read or are of another net.
    """
    context = LayerContext(Path(definition.source.name).parent, python_layers=python_layers)

    def planned(size: int | None) -> Plan:
        sized = _with_batch(definition, size)
        return plan_net(sized, phase=phase, level=level, stages=stages, context=context)

    if batch is None and (exported := _export_for_any(planned, weights)) is not None:
        return exported
    plan = planned(batch)
    graph, absent = _convert(plan, weights)
    return Exported(_model(plan, graph, None), absent, any_batch=False)


def _export_for_any(
    planned: Callable[[int | None], Plan], weights: Path | Weights | None
) -> Exported | None:
    """The net with a dynamic batch size; None if the nodes depend on the size."""
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
    """Write a model atomically; returns the paths of the files.

    Weights of 2 GB and more go to a second file, ``<path>.data``, as ONNX external data.

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
    """The net with inputs of ``size`` items; unchanged for None."""
    if size is None:
        return definition
    sized = definition.copy()
    for layer in sized.net.layer:
        for shape in layer.input_param.shape:
            if shape.dim:
                shape.dim[0] = size
    return sized


def _convert(plan: Plan, weights: Path | Weights | None) -> tuple[Graph, tuple[str, ...]]:
    """Convert a plan; returns the graph and the layers without weights in the file."""
    try:
        _refuse_unsupported(plan)
        if not _outputs(plan):
            raise UsageError(f"{plan.definition.source.name}: no layer computes anything here")
        net = Net(plan, Device(), gradients=False, packed=True, fuse=False)
        absent: tuple[str, ...] = ()
        if weights is not None:
            values = read_weights(weights) if isinstance(weights, Path) else weights
            name = str(weights) if isinstance(weights, Path) else plan.definition.source.name
            absent = tuple(net.load(values, name).absent)
        return _Walk(plan, net.layers).run(), absent
    finally:
        plan.close()


def _outer_names(plan: Plan) -> dict[Value, str]:
    """The names of inputs and outputs: those of the blobs, with ``/out`` appended for an output
    computed in place in an input's blob, since ONNX assigns a name only once.
    """
    names = {value: value.name for value in plan.inputs}
    taken = set(names.values())
    for value in _outputs(plan):
        names[value] = f"{value.name}/out" if value.name in taken else value.name
    return names


def _outputs(plan: Plan) -> list[Value]:
    """The outputs that layers compute, without unused inputs."""
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
    """Converts the steps of a plan in order and names their tops."""

    def __init__(self, plan: Plan, layers: Sequence[Layer]) -> None:
        self.plan, self.layers = plan, layers
        self.graph = Graph()
        self.outputs = _outputs(plan)
        self.fixed = _outer_names(plan)
        self.names: dict[Value, str] = {}

    def run(self) -> Graph:
        """Convert all steps; the outputs have the names of their blobs."""
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
        names = CONVERTERS[step.type](Conversion(self.graph, step, layer, bottoms))
        tops = [names] if isinstance(names, str) else list(names)
        made = {name for node in self.graph.nodes[first:] for name in node.output}
        for value, name in zip(step.tops, tops, strict=True):
            in_place = name not in made and any(
                each.name == value.name and self.names[each] == name and each not in self.fixed
                for each in step.bottoms
            )
            self.names[value] = self._rename(name, value) if name in made or in_place else name

    def _rename(self, name: str, value: Value) -> str:
        """Rename the output of a node to its blob; an overwritten value gets another name."""
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
        """Give an output that is an alias of another blob its own name, by an Identity node."""
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
    """The graph as a model; axes whose extents differ in ``other`` are dynamic."""
    data_dependent = any(step.dynamic for step in plan.steps)
    other_plan, names = other if other is not None else plan, _outer_names(plan)
    inputs, outputs = (
        [
            _info(names[one], one, two, data_dependent=dependent)
            for one, two in zip(ones, twos, strict=True)
        ]
        for ones, twos, dependent in (
            (plan.inputs, other_plan.inputs, False),
            (_outputs(plan), _outputs(other_plan), data_dependent),
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


def _info(name: str, one: Value, two: Value, *, data_dependent: bool) -> ValueInfoProto:
    """Name, type and axes of an input or output: numbers, ``N``, or None if data-dependent."""
    dims: list[int | str | None] = []
    for extent, other in zip(one.shape or (), two.shape or (), strict=True):
        if data_dependent or (extent != other and (extent, other) != _SIZES):
            dims.append(None)
        else:
            dims.append(extent if extent == other else BATCH)
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, dims)
