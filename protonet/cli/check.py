"""``protonet check``: all mistakes of a network, or the table of its layers."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from protonet.cli.check_report import (
    mistakes_as_json,
    network_report,
    print_weights,
    report_options,
)
from protonet.cli.compute_options import no_fuse_option, precision_option
from protonet.cli.examples import CommandWithExamples
from protonet.cli.extensions import import_option
from protonet.cli.options import Int32, gathered
from protonet.cli.shapes import Shape, explained, input_options
from protonet.cli.sizes import memory_limit_option
from protonet.cli.terminal import note, print_table
from protonet.cli.untrusted_option import untrusted_option
from protonet.errors import DeviceError, NetworkError

if TYPE_CHECKING:
    from protonet.graph.plan import Plan
    from protonet.graph.summary import Summary
    from protonet.jobs.checks.memory import TrainingMemory
    from protonet.jobs.definitions.inputs import InputOptions
    from protonet.proto.text import NetDefinition

_TRAIN, _TEST = 0, 1


def _memory_argument(command: Callable[..., None]) -> Any:
    """Pass the options of memory and computation as one argument ``memory``."""
    names = ("memory_limit", "recompute", "no_fuse", "precision")
    return gathered(command, "memory", _memory, names)


def _memory(
    memory_limit: int | None, recompute: bool, no_fuse: bool, precision: str | None
) -> TrainingMemory:
    from protonet.jobs.checks.memory import TrainingMemory
    from protonet.precision import type_of

    held = type_of(precision or "float32")
    return TrainingMemory(memory_limit, recompute, fuse=not no_fuse, precision=held)


# long: a third of it is its help
@click.command(
    "check",
    cls=CommandWithExamples,
    short_help="Show all mistakes of a network, or its layers.",
    examples=[
        "protonet check net.prototxt --data train_images --labels train_labels",
        "protonet check net.prototxt --input data=16x1x50x50 --input label=16x2",
        "protonet check net.prototxt --data train_images --phase test --stage deploy",
        "protonet check train_val.prototxt",
        "protonet check snapshot_30_Model.t7 --input data=1x3x224x224",
        "protonet check net.prototxt --data train_images --weights before.caffemodel",
        "protonet check net.prototxt --data train_images --json",
        "cat net.prototxt | protonet check - --data train_images",
    ],
)
@click.argument("network", metavar="NETWORK")
@input_options
@click.option(
    "--phase",
    type=click.Choice(["train", "test"]),
    default="train",
    show_default=True,
    help="Phase of the network.",
)
@click.option(
    "--stage",
    "stages",
    multiple=True,
    metavar="NAME",
    help="Stage of the network. May be repeated. Default with --data: train, or val in phase test.",
)
@click.option(
    "--level",
    type=Int32(),
    metavar="N",
    default=0,
    show_default=True,
    help="Level for min_level rules.",
)
@memory_limit_option
@click.option(
    "--recompute",
    is_flag=True,
    help="Show the memory of training with --recompute.",
)
@no_fuse_option
@precision_option
@click.option(
    "--verbose",
    "-v",
    is_flag=True,
    help="Show the memory by purpose, and which layers are fused and recomputed.",
)
@report_options
@untrusted_option
@import_option
@_memory_argument
def command(
    network: str,
    data: InputOptions,
    phase: str,
    stages: Sequence[str],
    level: int,
    memory: TrainingMemory,
    verbose: bool,
    weights: str | None,
    as_json: bool,
    untrusted: bool,
) -> None:
    """Check the network in the text NETWORK, or the model in a .t7 file of Torch7; '-' reads a text
    from standard input.

    Prints all mistakes with file, line and column; if there are none, each layer with its type,
    the shapes of its bottoms and tops and its parameters, and the memory that the network needs
    for training and for inference.

    For a network without data layers, --data and --labels, or --input, give the shapes.
    """
    from protonet.jobs.checks.network_report import report_json
    from protonet.jobs.checks.pairing import large_batches
    from protonet.jobs.reading.network import read_network, shapes_of_inputs
    from protonet.proto.ignored import ignored_notes

    with mistakes_as_json(as_json):
        pasted = read_network(network, shapes_of_inputs(data))
        for each in (*pasted.printed, *ignored_notes(pasted.net)):
            note(each)
        if data.data is None:  # --batch-size applies to databases here
            data = replace(data, batch_size=None)
        definition, stages = data.put(pasted, _TEST if phase == "test" else _TRAIN, stages)
        plan = _planned(definition, phase, level, stages, untrusted)
        try:
            if phase == "train" and pasted.source.text:
                _look_for_objective(plan, definition, data)
            report = network_report(plan, pasted, memory, weights)
            if as_json:
                click.echo(json.dumps(report_json(report)))
                return
            for each in large_batches(plan)[:1]:
                note(each)
            state = f"phase {phase}" + "".join(f", stage {s}" for s in stages)
            _print_plan(plan, memory, state, verbose)
            if report.weights is not None:
                print_weights(report.weights, report.weights_error)
        finally:
            plan.close()


def _planned(
    definition: NetDefinition, phase: str, level: int, stages: Sequence[str], untrusted: bool
) -> Plan:
    """The plan; errors on unknown shapes come with advice."""
    from protonet.graph.planning import plan_net
    from protonet.layers.base import LayerContext

    number = _TEST if phase == "test" else _TRAIN
    context = LayerContext(Path(definition.source.name).parent, python_layers=not untrusted)
    try:
        return plan_net(definition, phase=number, level=level, stages=stages, context=context)
    except NetworkError as error:
        raise explained(error, definition) from None


def _look_for_objective(plan: Plan, definition: NetDefinition, data: InputOptions) -> None:
    """Refuse to train a net without objective on databases; warn about other nets."""
    from protonet.jobs.checks.objective import check_objective, has_objective

    if data.data is not None:
        check_objective(plan, definition)
    elif not plan.inputs and not has_objective(plan):
        note("WARNING: the network has no loss layer: it can predict, but not learn")


def _print_plan(plan: Plan, memory: TrainingMemory, state: str, verbose: bool) -> None:
    """Print the layers and their memory, compared with the limit or with this machine."""
    from protonet.device import Device
    from protonet.graph.capacity import check_capacity
    from protonet.graph.summary import summarize
    from protonet.jobs.checks.memory import check_training
    from protonet.proto.caffe_pb2 import SolverParameter

    if memory.limit is None:
        check_capacity(plan, Device(), gradients=False, packed=True, precision=memory.precision)
    summary = summarize(
        plan, recompute=memory.recompute, fuse=memory.fuse, precision=memory.precision
    )
    _print_summary(plan, summary, state)
    if memory.limit is None:
        _compare_with_machine(plan, summary)
    if verbose:
        _print_memory(plan, summary, memory)
        _print_fused(summary)
    if memory.limit is not None:
        check_training([plan], SolverParameter(momentum=0.9), Device(), memory)


def _print_summary(plan: Plan, summary: Summary, state: str) -> None:
    click.echo(f"{plan.name or 'network'} ({state})\n")
    print_table(
        ("layer", "type", "bottoms", "tops", "parameters"),
        [
            (row.name, row.type, _blobs(row.bottoms), _blobs(row.tops), f"{row.parameters:,}")
            for row in summary.rows
        ],
        folds=("bottoms", "tops"),
    )
    from protonet.sizes import byte_count

    click.echo(
        f"\n{len(summary.rows)} layers, {summary.parameters:,} parameters; memory: "
        f"{byte_count(summary.training_bytes)} for training, "
        f"{byte_count(summary.inference_bytes)} for inference"
    )


def _compare_with_machine(plan: Plan, summary: Summary) -> None:
    """Refuse a net that exceeds this machine; warn if its training does."""
    from protonet.device import Device
    from protonet.graph.capacity import largest_layer
    from protonet.sizes import byte_count

    most = Device().most_memory()
    if not plan.steps or summary.training_bytes <= most:
        return
    kinds = ("blobs", "scratch", "parameters")
    needs = ", ".join(
        f"{byte_count(getattr(summary.inference, kind))} for {kind}" for kind in kinds
    )
    advice = f"{needs}; {largest_layer(plan)}; --memory-limit SIZE is for another machine"
    if summary.inference_bytes > most:
        raise DeviceError(
            f"the net needs more than the {byte_count(most)} of this machine: {advice}"
        )
    note(f"this machine has {byte_count(most)}, too little to train the network: {advice}")


def _print_memory(plan: Plan, summary: Summary, memory: TrainingMemory) -> None:
    """Print the memory by purpose, and the effect of recomputation."""
    from protonet.graph.estimate import estimate
    from protonet.sizes import byte_count

    train, ask = summary.training, summary.inference
    rows = [
        ("blobs and gradients", train.blobs, ask.blobs),
        ("scratch of layers", train.scratch, ask.scratch),
        ("parameters", train.parameters, ask.parameters),
        ("their gradients", train.gradients, 0),
        ("solver with momentum", 2 * train.parameters, 0),
        ("data", train.data, ask.data),
    ]
    click.echo()
    print_table(
        ("memory", "training", "inference"),
        [(what, byte_count(one), byte_count(two)) for what, one, two in rows],
    )
    less = train
    if not memory.recompute:
        less = estimate(
            plan, gradients=True, recompute=True, fuse=memory.fuse, precision=memory.precision
        )
    if not less.recomputed:
        click.echo("--recompute would change nothing")
        return
    does = "saves" if memory.recompute else "would save"
    names = ", ".join(less.recomputed)
    click.echo(
        f"--recompute {does} {byte_count(less.recompute_savings)} and runs "
        f"{len(less.recomputed)} layer(s) twice: {names}"
    )


def _print_fused(summary: Summary) -> None:
    """Print which layers are fused."""
    for what, fused in (
        ("training", summary.training.fused),
        ("inference", summary.inference.fused),
    ):
        click.echo(f"fused in {what}: {'; '.join(map(' + '.join, fused)) or 'nothing'}")


def _blobs(blobs: Sequence[tuple[str, Shape]]) -> str:
    return ", ".join(
        f"{name} {'x'.join(str(axis) for axis in shape) or 'scalar'}" for name, shape in blobs
    )
