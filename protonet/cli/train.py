"""``protonet train``: train a network, resume a run, or follow one of Caffe's solver files."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from protonet.cli.caffe_flags import chosen_device, chosen_stages
from protonet.cli.compute_options import no_fuse_option, precision_option, tf32_option
from protonet.cli.extensions import import_option
from protonet.cli.gflags import GflagsCommand
from protonet.cli.options import C
from protonet.cli.schedule_options import interval_options, length_options, rate_options
from protonet.cli.sizes import memory_limit_option
from protonet.cli.terminal import console, shows_bars
from protonet.cli.training_job import SOLVERS, choose_job
from protonet.cli.untrusted_option import untrusted_option
from protonet.errors import UsageError
from protonet.jobs.training.interrupts import EFFECTS, INTERRUPTED, Interrupts

if TYPE_CHECKING:
    from protonet.jobs.training.start import Outcome
    from protonet.train.events import Listener

FORMATS = ("auto", "caffe", "json")
_PATH = click.Path(path_type=Path)


def _effect_option(signal: str, usual: str, what: str) -> Callable[[C], C]:
    """``--sigint-effect``, ``--sighup-effect``."""
    return click.option(
        f"--{signal}-effect",
        f"--{signal}_effect",
        f"-{signal}_effect",
        type=click.Choice(EFFECTS),
        default=usual,
        show_default=True,
        help=what,
    )


@click.command(
    "train",
    cls=GflagsCommand,
    short_help="Train a network, or resume a run.",
    examples=[
        "protonet train net.prototxt --data train_images --labels train_labels",
        "protonet train net.prototxt --data train_db --val-data val_db --epochs 10 --lr 0.001",
        "protonet train net.prototxt --data train_db --lr-policy multistep --step 50,75",
        "protonet train net.prototxt --data train_db --solver Adam --device cuda:0",
        "protonet train net.prototxt --data train_db --solver AdamW --lr-policy cosine "
        "--warmup 200",
        "cat net.prototxt | protonet train - --data train_db --out run",
        "protonet train net.prototxt --data train_db --accumulate 4 --snapshot-every 5",
        "protonet train --resume run",
        "protonet train --resume run --epochs 60",
        "protonet train --solver solver.prototxt",
        "protonet train -solver solver.prototxt -snapshot net_iter_500.solverstate -gpu 0",
    ],
)
@click.argument("network", metavar="[NETWORK]", required=False)
@click.option("--data", type=_PATH, help="LMDB of the training images.")
@click.option(
    "--labels",
    type=_PATH,
    help="LMDB of the training label vectors, paired with the images by key. Without it the "
    "labels are the class numbers that the images' records carry.",
)
@click.option(
    "--by-position",
    is_flag=True,
    help="Pair images and labels by their places where their keys differ, as Caffe does.",
)
@click.option("--val-data", type=_PATH, help="LMDB of the validation images.")
@click.option("--val-labels", type=_PATH, help="LMDB of the validation label vectors.")
@click.option(
    "--mean",
    metavar="FILE|none",
    help="Mean to take off the images: a .binaryproto file, or 'none'. By default it is computed "
    "from the training images.",
)
@length_options
@click.option(
    "--batch-size",
    type=click.IntRange(1),
    metavar="N",
    help="Images in a batch. Default: what the network says, or else 16.",
)
@interval_options
@rate_options
@click.option("--momentum", type=float, metavar="X", help="Momentum of the solver. Default: 0.9.")
@click.option(
    "--weight-decay",
    type=float,
    metavar="X",
    help="Weight decay. Default: the learning rate / 100.",
)
@click.option(
    "--solver",
    "-solver",
    metavar="TYPE|FILE",
    help=f"Update rule: {', '.join(SOLVERS)}. Default: SGD. Without NETWORK: Caffe's "
    "solver.prototxt to follow, which names its net and data itself.",
)
@click.option(
    "--weights",
    "-weights",
    metavar="FILE[,FILE...]",
    help="Weights to begin with (fine-tuning): .caffemodel, .h5, .npz or .safetensors.",
)
@click.option(
    "--allow-mismatch",
    is_flag=True,
    help="Leave layers as they begin whose shapes the --weights do not fit.",
)
@click.option(
    "--snapshot",
    "-snapshot",
    type=_PATH,
    metavar="FILE",
    help="With a solver file: the .solverstate to go on from.",
)
@click.option(
    "--level",
    "-level",
    type=int,
    metavar="N",
    help="With a solver file: the level of the training net.",
)
@click.option(
    "--stage",
    "-stage",
    metavar="NAME[,NAME...]",
    help="With a solver file: stages of the training net, beside the file's own.",
)
@click.option(
    "--seed", type=click.IntRange(0), metavar="N", help="Seed of all random numbers. Default: 0."
)
@click.option("--shuffle", is_flag=True, help="Draw the training data in a new order each epoch.")
@click.option(
    "--device", metavar="NAME", help="cpu or cuda:N. Default: cpu, or that of the run to resume."
)
@click.option(
    "--early-stop",
    type=click.IntRange(1),
    metavar="N",
    help="End after N validations in a row without a better accuracy or loss.",
)
@click.option(
    "--average",
    type=float,
    metavar="DECAY",
    help="Keep a running mean of the weights, such as 0.999, which validation measures and "
    "answers use.",
)
@click.option(
    "--keep",
    type=click.IntRange(1),
    metavar="N",
    help="Snapshots that stay: the newest N, and the best. Default: all.",
)
@click.option("--gpu", "-gpu", metavar="N", help="The GPU to use, as --device cuda:N does.")
@click.option("--out", type=_PATH, help="The run directory to make. Default: runs/NAME-TIME.")
@click.option(
    "--resume",
    type=_PATH,
    metavar="RUN",
    help="Go on with this run directory. --data, --labels, --val-data and --val-labels then name "
    "databases that were moved.",
)
@_effect_option("sigint", "stop", "What Ctrl-C does.")
@_effect_option("sighup", "snapshot", "What a hang-up does, such as closing the terminal.")
@memory_limit_option
@click.option(
    "--recompute",
    is_flag=True,
    help="Take less memory: what cheap layers make is freed after the forward pass and made again "
    "for the backward pass. The results are the same.",
)
@no_fuse_option
@precision_option
@tf32_option
@untrusted_option
@click.option(
    "--allow-python-layers", is_flag=True, help="With --untrusted: take such layers all the same."
)
@import_option
@click.option(
    "--log-format",
    type=click.Choice(FORMATS),
    default="auto",
    show_default=True,
    help="caffe: the lines of Caffe's log, on standard error as Caffe writes them; json: the lines "
    "of metrics.jsonl on standard output; auto: a bar on a terminal, else Caffe's lines on "
    "standard output.",
)
@click.option("--quiet", is_flag=True, help="Print nothing but where the results are.")
@click.option("--verbose", is_flag=True, help="Print Caffe's log lines on a terminal too.")
@click.pass_context
def command(
    ctx: click.Context,
    /,
    network: str | None,
    resume: Path | None,
    quiet: bool,
    verbose: bool,
    log_format: str,
    **options: Any,
) -> None:
    """Train the network in the prototxt file NETWORK; '-' reads it from standard input.

    NETWORK needs no data layers: they are made from --data and --labels. It may bring its own;
    then their source is filled in and the rest is kept. The results go to a new run directory:
    the texts, the mean, snapshots, metrics.jsonl, train.log and loss.png.

    On a terminal a bar shows the progress; otherwise the lines of Caffe's log are printed.
    Ctrl-C takes a snapshot and stops; --resume goes on from there, or from the newest snapshot
    of a run that was killed.

    --resume with --epochs (or --max-iter, for a run of a solver file) gives a run another
    length, a finished one too. What was trained stays; from there on the learning rate is what a
    training of the new length has at that iteration, so it may rise again: after the steps of
    multistep, or with cosine. Steps of a solver file are iterations, and stay.
    """
    if quiet and verbose:
        raise UsageError("--quiet and --verbose contradict each other")
    if quiet and log_format != "auto":
        raise UsageError("--quiet and --log-format contradict each other")
    if log_format == "auto" and not verbose and ctx.find_root().info_name == "caffe":
        log_format = "caffe"
    effects = (options.pop("sigint_effect"), options.pop("sighup_effect"))
    job = choose_job(network, resume, _given(options))
    with ExitStack() as stack:
        interrupts = stack.enter_context(Interrupts(*effects))
        listeners = [] if quiet else _console_listeners(stack, log_format, verbose)
        outcome = job(listeners=listeners, on_trainer=interrupts.watch)
    _report(outcome, quiet or log_format == "json")
    if outcome.result.interrupted:
        ctx.exit(INTERRUPTED)


def _given(options: dict[str, Any]) -> dict[str, Any]:
    """The options that were given, by the names of the settings."""
    given = {k: v for k, v in options.items() if v is not None and v is not False}
    if "gpu" in given:
        given["device"] = chosen_device(given.pop("gpu"), given.get("device"))
    if "stage" in given:
        given["stages"] = chosen_stages(given.pop("stage"))
    if given.pop("no_fuse", False):
        given["fuse"] = False
    return given


def _console_listeners(stack: ExitStack, log_format: str, verbose: bool) -> list[Listener]:
    """What shows the training: in the chosen format, or a bar on a terminal, else Caffe's log."""
    from protonet.train.listeners import CaffeLog, Metrics, ProgressBar

    if log_format == "caffe":
        return [CaffeLog(sys.stderr)]
    if log_format == "json":
        return [Metrics(sys.stdout)]
    where = console()
    if not shows_bars(where):
        return [CaffeLog(sys.stdout)]
    bar = stack.enter_context(ProgressBar(where))
    return [CaffeLog(bar.stream), bar] if verbose else [bar]


def _report(outcome: Outcome, quiet: bool) -> None:
    run, result = outcome.run, outcome.result
    if not quiet:
        for remark in outcome.notes:
            click.echo(f"note: {remark}")
        if result.interrupted:
            click.echo(f"{outcome.summary}; to go on:")
            click.echo(f"  protonet train --resume {run.path}")
        else:
            use = f"; to use it:\n  protonet infer {run.path} IMAGE" if run.deploy.exists() else ""
            click.echo(f"{outcome.summary}{use}")
    click.echo(f"results: {run.path}")
