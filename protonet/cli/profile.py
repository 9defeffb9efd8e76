"""``protonet profile``: time per layer of a network."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from protonet.cli.caffe_flags import chosen_device, chosen_stages
from protonet.cli.compute_options import no_fuse_option, precision_option, tf32_option
from protonet.cli.examples import CommandWithExamples
from protonet.cli.extensions import import_option
from protonet.cli.options import Count, Int32, gathered
from protonet.cli.shapes import explained, input_options
from protonet.cli.terminal import note, print_table
from protonet.cli.training_job import known_solvers, match_solver
from protonet.cli.untrusted_option import untrusted_option
from protonet.errors import NetworkError, UsageError, nearest
from protonet.jobs.run.bounds import SOLVERS

if TYPE_CHECKING:
    from protonet.graph.net import Net
    from protonet.jobs.definitions.inputs import InputOptions
    from protonet.jobs.profiling.profile import LayerProfile, Profile
    from protonet.jobs.profiling.profiled_net import ProfileOptions
    from protonet.proto.caffe_pb2 import SolverParameter
    from protonet.proto.text import NetDefinition
    from protonet.solvers.update_rule import Rule

_PATH = click.Path(path_type=Path)
_TRAIN, _TEST = 0, 1
_STARVED = 0.05
"""The share of an iteration from which waiting for images is reported."""


def _options_argument(command: Callable[..., None]) -> Any:
    """Pass the options of the net as one argument ``options``."""
    names = ("phase", "level", "stage", "weights", "gpu", "device", "no_fuse", "precision", "tf32",
             "untrusted")  # fmt: skip
    return gathered(command, "options", _options, names)


def _options(
    *,
    phase: str,
    stage: str,
    gpu: str | None,
    device: str | None,
    no_fuse: bool,
    precision: str | None,
    untrusted: bool,
    **others: Any,
) -> ProfileOptions:
    from protonet.jobs.profiling.profiled_net import ProfileOptions

    return ProfileOptions(
        phase=_TEST if phase == "test" else _TRAIN,
        stages=chosen_stages(stage),
        device=chosen_device(gpu, device),
        fuse=not no_fuse,
        precision=precision or "float32",
        python_layers=not untrusted,
        **others,
    )


@click.command(
    "profile",
    cls=CommandWithExamples,
    short_help="Profile a network layer by layer.",
    examples=[
        "protonet profile net.prototxt --data train_images --labels train_labels",
        "protonet profile train_val.prototxt --sort time --out profile.svg",
        "protonet profile deploy.prototxt --phase test --batch-size 1",
        "protonet profile --solver solver.prototxt --trace trace.json",
        "cat net.prototxt | protonet profile - --input data=16x3x227x227 --input label=16",
    ],
)
@click.argument("network", metavar="[NETWORK]", required=False)
@input_options
@click.option(
    "--solver",
    metavar="TYPE|FILE",
    help=f"Update rule: {', '.join(SOLVERS)}; or Caffe's solver.prototxt, whose net is profiled "
    "if NETWORK is omitted. Default: SGD.",
)
@click.option(
    "--weights",
    metavar="FILE[,FILE...]",
    default="",
    help="Weights to load, if their values matter.",
)
@click.option(
    "--phase",
    type=click.Choice(["train", "test"]),
    default="train",
    show_default=True,
    help="train: forward, backward and update; test: forward only.",
)
@click.option("--stage", metavar="NAME[,NAME...]", default="", help="Stages of the net.")
@click.option("--level", type=Int32(), default=0, show_default=True, help="Level of the net.")
@click.option(
    "--iterations",
    type=Count(1),
    metavar="N",
    default=20,
    show_default=True,
    help="Number of measured iterations, after a warm-up.",
)
@click.option("--gpu", metavar="N", help="The GPU to use, like --device cuda:N.")
@click.option("--device", metavar="NAME", help="cpu or cuda:N. Default: cpu.")
@click.option(
    "--sort",
    type=click.Choice(["plan", "time"]),
    default="plan",
    show_default=True,
    help="Order of the layers: as computed, or by time.",
)
@click.option("--out", type=_PATH, metavar="FILE", help="Chart to write: .svg, .png or .pdf.")
@click.option(
    "--trace", type=_PATH, metavar="FILE", help="Trace to write, for Perfetto or chrome://tracing."
)
@no_fuse_option
@precision_option
@tf32_option
@untrusted_option
@import_option
@_options_argument
def command(
    network: str | None,
    data: InputOptions,
    solver: str | None,
    options: ProfileOptions,
    iterations: int,
    sort: str,
    out: Path | None,
    trace: Path | None,
) -> None:
    """Profile the network in the prototxt file NETWORK; '-' reads it from standard input.

    Prints for each layer its time per iteration, forward, backward and in the solver's update (its
    share by number of parameters), or as data (waiting for batches and copying them); its share of
    the total; its arithmetic rate and its memory traffic, each value counted once. Then the sums,
    compared with the peak rates of this machine, which are measured first.

    Data is read as in training: by the network's own layers, or from --data and --labels; the mean
    is that of the network's transform_param. Input layers and --input get random numbers. No
    weights are saved.
    """
    from protonet.formats.pictures import picture_kind
    from protonet.jobs.profiling.files import FORMATS
    from protonet.jobs.profiling.profile import profile_net

    if out is not None:
        picture_kind(out, FORMATS)
    net, rule, passes = _opened(network, data, solver, options)
    try:
        profile = profile_net(net, rule, iterations=iterations, passes=passes)
    finally:
        net.close()
    layers = list(profile.layers)
    if sort == "time":
        layers.sort(key=lambda layer: -layer.seconds)
    _print_layers(profile, layers)
    _print_sums(profile)
    _write_files(profile, layers, out, trace)


def _opened(
    network: str | None, data: InputOptions, solver: str | None, options: ProfileOptions
) -> tuple[Net, Rule | None, int]:
    """The net, its update rule, and the passes per iteration."""
    from protonet.jobs.profiling.profiled_net import open_profiled

    definition, settings, options = _read(network, data, solver, options)
    definition, stages = data.put(definition, options.phase, options.stages)
    try:
        net, rule = open_profiled(definition, replace(options, stages=stages), settings)
    except NetworkError as error:
        raise explained(error, definition) from None
    return net, rule, settings.iter_size if net.gradients else 1


def _read(
    network: str | None, data: InputOptions, solver: str | None, options: ProfileOptions
) -> tuple[NetDefinition, SolverParameter, ProfileOptions]:
    """The net and the solver, and the options completed from the solver."""
    from protonet.jobs.profiling.profiled_net import default_solver, net_of_solver, read_solver_only
    from protonet.jobs.reading.network import read_network, shapes_of_inputs

    kind = match_solver(solver) if solver is not None else "SGD"
    path = Path(str(solver))
    if kind is None and not path.exists():
        known = known_solvers()
        raise UsageError(
            f"--solver {solver}: no such file, and no update rule{nearest(str(solver), known)}\n"
            f"    known are {', '.join(known)}"
        )
    if network is not None:
        if network == "-" and sys.stdin.isatty():
            note("paste the network, then press Ctrl-D on an empty line")
        settings = default_solver(kind) if kind is not None else read_solver_only(path)
        definition = read_network(network, shapes_of_inputs(data))
        return definition, settings, options
    if kind is not None:
        raise UsageError(
            "nothing to profile: give NETWORK (a prototxt file, or '-'), or --solver "
            "SOLVER.prototxt with its net"
        )
    definition, settings, level, stages = net_of_solver(path, options.phase)
    stages = (*stages, *options.stages)
    return definition, settings, replace(options, level=options.level or level, stages=stages)


def _write_files(
    profile: Profile, layers: Sequence[LayerProfile], out: Path | None, trace: Path | None
) -> None:
    """Write the picture and the trace, if given."""
    from protonet.jobs.profiling.files import draw_profile, write_trace

    if out is not None:
        draw_profile(profile, layers, out)
        click.echo(f"picture: {out}")
    if trace is not None:
        write_trace(profile, trace)
        click.echo(f"trace: {trace}")


def _print_layers(profile: Profile, layers: Sequence[LayerProfile]) -> None:
    kinds = [kind for kind in ("data", "forward", "backward", "update") if profile.sum(kind)]
    numbers = (*(f"{kind} ms" for kind in kinds), "share", "GFLOP/s", "GB/s")
    print_table(
        ("layer", "type", *numbers),
        [
            (
                layer.name,
                f"{layer.type}, in {layer.part_of}" if layer.part_of else layer.type,
                *(_milliseconds(getattr(layer, kind)) for kind in kinds),
                f"{100 * layer.seconds / profile.seconds:.1f} %",
                _rate(layer.arithmetic, layer.passes),
                _rate(layer.traffic, layer.passes),
            )
            for layer in layers
        ],
        folds=("layer",),
        numbers=numbers,
    )


def _milliseconds(seconds: float) -> str:
    return f"{1000 * seconds:.3f}" if seconds else ""


def _rate(count: int, seconds: float) -> str:
    return f"{count / seconds / 1e9:.1f}" if count and seconds else ""


def _print_sums(profile: Profile) -> None:
    whole, machine = profile.seconds, profile.machine
    click.echo(
        f"\n{1000 * whole:.3f} ms per iteration of {profile.images} images: "
        f"{1 / whole:,.1f} iterations/s, {profile.images / whole:,.0f} images/s"
    )
    sums = [(kind, profile.sum(kind)) for kind in ("data", "forward", "backward", "update")]
    told = [*(each for each in sums if each[1]), ("between the layers", profile.between)]
    click.echo(", ".join(f"{kind} {1000 * t:.3f} ms ({100 * t / whole:.1f} %)" for kind, t in told))
    flops = sum(layer.arithmetic for layer in profile.layers) / whole
    moved = sum(layer.traffic for layer in profile.layers) / whole
    click.echo(
        f"arithmetic {flops / 1e9:.1f} GFLOP/s: {100 * flops / machine.arithmetic:.0f} % of the "
        f"{machine.arithmetic / 1e9:.0f} of a matrix product on {profile.device}"
    )
    click.echo(
        f"traffic {moved / 1e9:.1f} GB/s: {100 * moved / machine.bandwidth:.0f} % of the "
        f"{machine.bandwidth / 1e9:.0f} of a copy there"
    )
    for source in profile.inputs:
        threads = len({work.thread for work in source.worker_times})
        beside = (
            f"meanwhile {threads} thread(s) took {1000 * source.reading:.3f} ms to read and "
            f"decode, {1000 * source.transforming:.3f} ms to transform"
            if threads
            else "nothing to decode: all data is in memory"
        )
        click.echo(f"{source.name}: waited {1000 * source.waited:.3f} ms; {beside}")
        if source.waited > _STARVED * whole:
            click.echo(f"note: the net waits for {source.name}; reading images is the bottleneck")
