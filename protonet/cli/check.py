"""``protonet check``: every mistake of a network, or the table of its layers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from protonet.cli.computing import takes_no_fuse, takes_precision
from protonet.cli.examples import Exemplified
from protonet.cli.extensions import takes_imports
from protonet.cli.sizes import takes_memory_limit
from protonet.cli.terminal import note, print_table
from protonet.cli.trust import takes_untrusted
from protonet.errors import DeviceError, NetworkError, UsageError, nearest

if TYPE_CHECKING:
    from protonet.graph.plan import Plan
    from protonet.graph.summary import Summary
    from protonet.proto.text import NetDefinition

C = TypeVar("C", bound=Callable[..., Any])
Shape = tuple[int, ...]
_PATH = click.Path(path_type=Path)
_TRAIN, _TEST = 0, 1
_LOOKED_UP = 20
"""How many unknown names are looked up among the known ones."""


def input_shape(text: str) -> tuple[str, Shape]:
    """The blob and the axes of a text such as ``data=16x1x50x50``."""
    name, _, shape = text.partition("=")
    axes = shape.split("x")
    if not name or not all(axis.isdecimal() and int(axis) > 0 for axis in axes):
        raise click.BadParameter(f"expected NAME=SHAPE such as data=16x1x50x50, got '{text}'")
    return name, tuple(int(axis) for axis in axes)


_SHAPES = (
    click.option("--data", type=_PATH, help="LMDB of images: the source of the network's data."),
    click.option(
        "--labels", type=_PATH, help="LMDB of label vectors, paired with the images by key."
    ),
    click.option(
        "--input",
        "inputs",
        type=input_shape,
        multiple=True,
        metavar="NAME=SHAPE",
        help="Shape of a blob that no layer makes, such as data=16x1x50x50. May be repeated.",
    ),
    click.option(
        "--batch-size",
        type=click.IntRange(1),
        metavar="N",
        help="Images in a batch. Default: what the network says, or else 16.",
    ),
)


def takes_shapes(command: C) -> C:
    """Give a command the options that tell the shapes of what no layer makes."""
    for option in reversed(_SHAPES):
        command = option(command)
    return command


@click.command(
    "check",
    cls=Exemplified,
    short_help="Show every mistake of a network, or its layers.",
    examples=[
        "protonet check net.prototxt --data train_images --labels train_labels",
        "protonet check net.prototxt --input data=16x1x50x50 --input label=16x2",
        "protonet check net.prototxt --data train_images --phase test --stage deploy",
        "protonet check train_val.prototxt",
        "cat net.prototxt | protonet check - --data train_images",
    ],
)
@click.argument("network", metavar="NETWORK")
@takes_shapes
@click.option(
    "--phase",
    type=click.Choice(["train", "test"]),
    default="train",
    show_default=True,
    help="Phase in which the network is looked at.",
)
@click.option(
    "--stage",
    "stages",
    multiple=True,
    metavar="NAME",
    help="Stage in which the network is looked at. May be repeated. Default with --data: train "
    "or, in phase test, val.",
)
@click.option(
    "--level",
    type=int,
    metavar="N",
    default=0,
    show_default=True,
    help="Level for min_level rules.",
)
@takes_memory_limit
@click.option(
    "--recompute",
    is_flag=True,
    help="Say what training with --recompute takes.",
)
@takes_no_fuse
@takes_precision
@click.option(
    "--verbose",
    "-v",
    is_flag=True,
    help="Say what the memory is for, what is fused, and what is recomputed.",
)
@takes_untrusted
@takes_imports
def command(
    network: str,
    data: Path | None,
    labels: Path | None,
    inputs: Sequence[tuple[str, Shape]],
    batch_size: int | None,
    phase: str,
    stages: Sequence[str],
    level: int,
    memory_limit: int | None,
    recompute: bool,
    no_fuse: bool,
    precision: str | None,
    verbose: bool,
    untrusted: bool,
) -> None:
    """Check the network in the prototxt file NETWORK; '-' reads it from standard input.

    Prints every mistake with its file, line and column; or, where there is none, each layer with
    its type, the shapes of its bottoms and tops and its parameters, and the memory that the
    network needs for training and for inference.

    A network without data layers gets its shapes from --data and --labels, or from --input.
    """
    from protonet.device import Device
    from protonet.graph.capacity import check_capacity
    from protonet.graph.planning import plan_net
    from protonet.graph.summary import summarize
    from protonet.jobs.checks.memory import TrainingMemory, check_training
    from protonet.jobs.checks.objective import check_objective, has_objective
    from protonet.jobs.definitions.inputs import with_databases, with_inputs
    from protonet.layers.base import LayerContext
    from protonet.precision import type_of
    from protonet.proto.caffe_pb2 import SolverParameter
    from protonet.proto.ignored import ignored_notes
    from protonet.proto.text import Source, read_net

    if data is None and labels is not None:
        raise UsageError("--labels needs --data, the LMDB of the images that they belong to")
    if data is not None and inputs:
        raise UsageError("--data and --input both give shapes; use one of them")
    number = _TEST if phase == "test" else _TRAIN
    definition = read_net(Source.read(network))
    for each in ignored_notes(definition.net):
        note(each)
    if data is not None:
        stages = stages or (("val",) if phase == "test" else ("train",))
        definition = with_databases(definition, data, labels, batch_size, stages)
    elif inputs:
        definition = with_inputs(definition, dict(inputs))
    try:
        context = LayerContext(Path(definition.source.name).parent, python_layers=not untrusted)
        plan = plan_net(definition, phase=number, level=level, stages=stages, context=context)
    except NetworkError as error:
        raise explained(error, definition) from None
    try:
        if number == _TRAIN and data is not None:
            check_objective(plan, definition)
        elif number == _TRAIN and not plan.inputs and not has_objective(plan):
            note("WARNING: no layer is a loss: the network can answer, but learns nothing")
        how: dict[str, Any] = {
            "fuse": not no_fuse,
            "precision": type_of(precision or "float32"),
        }
        if memory_limit is None:
            check_capacity(plan, Device(), gradients=False, packed=True, precision=how["precision"])
        summary = summarize(plan, recompute=recompute, **how)
        _print_summary(plan, summary, phase, stages)
        if memory_limit is None:
            _compare_with_machine(plan, summary)
        if verbose:
            _print_memory(plan, summary, recompute, how)
            _print_fused(summary)
        if memory_limit is not None:
            memory = TrainingMemory(memory_limit, recompute, **how)
            check_training([plan], SolverParameter(momentum=0.9), Device(), memory)
    finally:
        plan.close()


def explained(error: NetworkError, definition: NetDefinition) -> Exception:
    """The error; where blobs that no layer makes are all or part of it, with what would help."""
    # a layer in place makes nothing anew
    made = {t for layer in definition.net.layer for t in layer.top if t not in layer.bottom}
    reads = [bottom for layer in definition.net.layer for bottom in layer.bottom]
    unknown = list(dict.fromkeys(bottom for bottom in reads if bottom not in made))
    absent = [bottom for bottom in unknown[:_LOOKED_UP] if not nearest(bottom, made)]
    missing = [bottom for bottom in reads if bottom in absent]
    if not missing:
        return error
    names = " and ".join(f"'{name}'" for name in absent)
    advice = (
        f"{definition.source.name}: no layer makes {names}, so the shapes are not known; give\n"
        "    databases: --data DB [--labels DB]\n"
        f"    or shapes: --input {missing[0]}=16x1x50x50"
    )
    if len(error.mistakes) <= len(missing):
        return UsageError(advice)
    note(advice)
    return error


def _print_summary(plan: Plan, summary: Summary, phase: str, stages: Sequence[str]) -> None:
    state = f"phase {phase}" + "".join(f", stage {stage}" for stage in stages)
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
    """Refuse what no net of this machine can be; tell where there is too little to train it."""
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


def _print_memory(plan: Plan, summary: Summary, recompute: bool, how: dict[str, Any]) -> None:
    """What the memory is for, and what recomputation makes of it."""
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
    less = train if recompute else estimate(plan, gradients=True, recompute=True, **how)
    if not less.recomputed:
        click.echo("--recompute would change nothing")
        return
    does = "saves" if recompute else "would save"
    names = ", ".join(less.recomputed)
    click.echo(
        f"--recompute {does} {byte_count(less.recompute_savings)} and runs "
        f"{len(less.recomputed)} layer(s) twice: {names}"
    )


def _print_fused(summary: Summary) -> None:
    """Which layers are computed by those before them."""
    for what, fused in (
        ("training", summary.training.fused),
        ("inference", summary.inference.fused),
    ):
        click.echo(f"fused in {what}: {'; '.join(map(' + '.join, fused)) or 'nothing'}")


def _blobs(blobs: Sequence[tuple[str, Shape]]) -> str:
    return ", ".join(
        f"{name} {'x'.join(str(axis) for axis in shape) or 'scalar'}" for name, shape in blobs
    )
