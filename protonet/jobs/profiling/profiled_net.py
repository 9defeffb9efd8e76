"""The net and the update rule to profile: from a definition, a solver file, or both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from protonet.device import Device
from protonet.errors import UsageError
from protonet.graph.names import Value
from protonet.graph.net import Net
from protonet.graph.plan import Plan, Step
from protonet.graph.planning import plan_net
from protonet.jobs.definitions.solver_files import SolverFiles
from protonet.jobs.inference.weights import listed
from protonet.layers.base import LayerContext
from protonet.precision import type_of
from protonet.proto.caffe_pb2 import TEST, TRAIN, SolverParameter
from protonet.proto.text import NetDefinition, Source, read_solver
from protonet.solvers.check import check_solver
from protonet.solvers.update_rule import Rule, make_rule
from protonet.torch7.conversion import layer_weights

_LABELLED = frozenset(
    ("Accuracy", "HingeLoss", "InfogainLoss", "MultinomialLogisticLoss", "SoftmaxWithLoss")
)
"""Types whose second bottom holds class numbers along the first one's second axis."""
_WITHOUT_MOMENTUM = ("AdaGrad", "RMSProp")


@dataclass(frozen=True, kw_only=True)
class ProfileOptions:
    """Options of a profile.

    ``fuse``, ``precision`` and ``tf32`` are those of training.
    """

    phase: int = TRAIN
    level: int = 0
    stages: Sequence[str] = ()
    weights: str = ""
    device: str = "cpu"
    fuse: bool = True
    precision: str = "float32"
    tf32: bool = False
    python_layers: bool = True


def open_profiled(
    definition: NetDefinition, options: ProfileOptions, solver: SolverParameter | None = None
) -> tuple[Net, Rule | None]:
    """The net of training or inference, its inputs filled with random numbers, and its update rule.

    Without ``solver`` the rule is SGD with momentum; None in phase TEST. Close the net.

    Raises:
        NetworkError, DataError, UsageError, FormatError, DeviceError: if it cannot be built.
    """
    processor = Device(options.device, tf32=options.tf32)
    folder = Path(definition.source.name).parent
    context = LayerContext(folder, python_layers=options.python_layers)
    plan = plan_net(
        definition, phase=options.phase, level=options.level, stages=options.stages, context=context
    )
    try:
        net = Net(
            plan,
            processor,
            gradients=options.phase == TRAIN,
            packed=True,
            fuse=options.fuse,
            precision=type_of(options.precision),
        )
        for name in listed(options.weights):
            net.load(layer_weights(name), name)
        fill_inputs(net)
        rule = None
        if net.gradients and net.store.data.size:
            rule = make_rule(solver or default_solver("SGD"), net.store, processor)
    except BaseException:
        plan.close()
        raise
    return net, rule


def read_solver_only(path: Path) -> SolverParameter:
    """The settings of a solver file, without its nets."""
    source = Source.read(path)
    solver = read_solver(source)
    check_solver(solver, source)
    return solver


def net_of_solver(
    path: Path, phase: int
) -> tuple[NetDefinition, SolverParameter, int, Sequence[str]]:
    """The train net of a solver file, or its first test net; the solver; level and stages.

    Raises:
        UsageError: without a test net; as ``SolverFiles.read`` otherwise.
    """
    files = SolverFiles.read(path)
    if phase == TEST and not files.tests:
        raise UsageError(f"{path}: has no test net for phase test")
    definition, state = files.tests[0] if phase == TEST else (files.train, files.train_state)
    return definition, files.solver, int(state["level"]), tuple(state["stages"])


def default_solver(kind: str) -> SolverParameter:
    """A solver of this type with default settings."""
    solver = SolverParameter(type=kind, base_lr=0.01, lr_policy="fixed", weight_decay=0.0005)
    if kind not in _WITHOUT_MOMENTUM:
        solver.momentum = 0.9
    return solver


def fill_inputs(net: Net, seed: int = 0) -> None:
    """Fill the net's inputs with random numbers, or random classes for labels."""
    generator = np.random.default_rng(seed)
    for value in net.plan.inputs:
        shape = value.shape or ()
        most = classes_of(net.plan, value)
        if most is None:
            host = generator.standard_normal(shape, np.float32)
        else:
            host = generator.integers(0, most, shape).astype(np.float32)
        net.device.put(host, net.data_of(value))


def classes_of(plan: Plan, value: Value) -> int | None:
    """The number of classes of a label input; None for other inputs.

    An input without gradient that is not a label counts as 1 class, so it is 0.
    """
    for index, place in value.consumers:
        step = plan.steps[index]
        if step.type in _LABELLED and place == 1:
            return _classes(step)
        if step.type == "Embed":
            return int(step.layer.spec.embed_param.input_dim)
        if place in step.layer.no_gradient:
            return 1
    return None


def _classes(step: Step) -> int:
    scores = step.bottoms[0].shape or (1,)
    return scores[1] if len(scores) > 1 else 1
