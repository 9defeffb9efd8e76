"""``protonet train``: train a network, resume a run, or run a solver file."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from protonet.cli.caffe_flags import chosen_stages, training_device
from protonet.cli.compute_options import no_fuse_option, precision_option, tf32_option
from protonet.cli.extensions import import_option
from protonet.cli.gflags import GflagsCommand
from protonet.cli.image_options import image_options
from protonet.cli.options import C, Numbers
from protonet.cli.rank_options import rank_options
from protonet.cli.ranks import ending_together, ranks_of
from protonet.cli.schedule_options import interval_options, length_options, rate_options
from protonet.cli.sizes import memory_limit_option
from protonet.cli.solver_options import solver_options
from protonet.cli.sweep import train_all
from protonet.cli.terminal import console, shows_bars
from protonet.cli.training_job import choose_jobs
from protonet.cli.untrusted_option import untrusted_option
from protonet.errors import ProtonetError, UsageError
from protonet.ranks.mpi import number_of_ranks
from protonet.train.interrupts import EFFECTS, Interrupts

if TYPE_CHECKING:
    from protonet.cli.sweep import Job
    from protonet.jobs.training.join import Outcome
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


# long: most of it is its help
@click.command(
    "train",
    cls=GflagsCommand,
    short_help="Train a network, or resume a run.",
    examples=[
        "protonet train net.prototxt --data train_images --labels train_labels",
        "protonet train net.prototxt --data train_db --val-data val_db --epochs 10 --lr 0.001",
        "protonet train net.prototxt --data train_db --lr-policy multistep --step 50,75",
        "protonet train net.prototxt --data train_db --solver Adam --device cuda:0",
        "protonet train ssd.prototxt --data boxes/train_images --val-data boxes/val_images",
        "protonet train net.prototxt --data train_db --solver AdamW --lr-policy cosine "
        "--warmup 200",
        "protonet train net.prototxt --data train_db --lr 0.1,0.01 --batch-size 16,32 --out sweep",
        "protonet train net.prototxt --data train_db --mean pixel --crop 227 --mirror",
        "protonet train net.prototxt --data train_db --weights runs/before@best --allow-mismatch",
        "cat net.prototxt | protonet train - --data train_db --out run",
        "protonet train net.prototxt --data train_db --accumulate 4 --snapshot-every 5",
        "protonet train --resume run",
        "protonet train --resume run --epochs 60",
        "protonet train --solver solver.prototxt",
        "protonet train -solver solver.prototxt -snapshot net_iter_500.solverstate -gpu 0",
        "protonet train -solver solver.prototxt -gpu 0,1",
    ],
)
@click.argument("network", metavar="[NETWORK]", required=False)
@click.option(
    "--data",
    type=_PATH,
    help="LMDB of the training images. On several ranks, {rank} or {host} in this name and the "
    "three others makes it a database for each rank or machine.",
)
@click.option(
    "--labels",
    type=_PATH,
    help="LMDB of the training label vectors, paired with the images by key. Default: the class "
    "numbers in the images' records.",
)
@click.option(
    "--by-position",
    is_flag=True,
    help="Pair images and labels by position if their keys differ, as Caffe does.",
)
@click.option("--val-data", type=_PATH, help="LMDB of the validation images.")
@click.option("--val-labels", type=_PATH, help="LMDB of the validation label vectors.")
@click.option(
    "--label-map",
    type=_PATH,
    metavar="FILE",
    help="Label map of images with boxes. Default: labelmap.prototxt beside --data.",
)
@click.option(
    "--name-sizes",
    type=_PATH,
    metavar="FILE",
    help="Name, height and width of each validation image with boxes. Default: test_name_size.txt "
    "beside --val-data.",
)
@image_options
@length_options
@click.option(
    "--batch-size",
    "batch_sizes",
    type=Numbers(int),
    metavar="N[,N...]",
    help="Batch size; several make a training each. Default: that of the network, or else 16.",
)
@interval_options
@rate_options
@solver_options
@click.option(
    "--weights",
    "-weights",
    metavar="FILE|RUN[@N][,...]",
    help="Initial weights for fine-tuning: .caffemodel, .h5, .npz, .safetensors or .t7; of a RUN "
    "its last snapshot; RUN@best and RUN@500 name another.",
)
@click.option(
    "--allow-mismatch",
    is_flag=True,
    help="Skip layers whose shapes differ from the --weights.",
)
@click.option(
    "--snapshot",
    "-snapshot",
    type=_PATH,
    metavar="FILE",
    help="With a solver file: the .solverstate to continue from.",
)
@click.option(
    "--level",
    "-level",
    type=int,
    metavar="N",
    help="With a solver file: the level of the train net.",
)
@click.option(
    "--stage",
    "-stage",
    metavar="NAME[,NAME...]",
    help="With a solver file: stages of the train net, in addition to the file's own.",
)
@click.option(
    "--seed", type=click.IntRange(0), metavar="N", help="Seed of all random numbers. Default: 0."
)
@click.option(
    "--device",
    metavar="NAME",
    help="cpu, cuda:N, or several GPUs, one for each rank: cuda:0,1 or cuda:all. Default: cpu, or "
    "that of the resumed run.",
)
@click.option(
    "--early-stop",
    type=click.IntRange(1),
    metavar="N",
    help="Stop early after N validations in a row without a better accuracy or loss.",
)
@click.option(
    "--average",
    type=float,
    metavar="DECAY",
    help="Decay of a moving average of the weights, such as 0.999, used by validation and "
    "inference.",
)
@click.option(
    "--keep",
    type=click.IntRange(1),
    metavar="N",
    help="Snapshots to keep: the newest N, and the best. Default: all.",
)
@click.option(
    "--torch7-snapshots",
    is_flag=True,
    help="Of a Lua text: write snapshots as .t7 files of Torch7 too.",
)
@rank_options
@click.option(
    "--gpu",
    "-gpu",
    metavar="N[,N...]|all",
    help="The GPU to use, like --device cuda:N. Several make a rank each; of a solver file, each "
    "with the batch of the text, as with Caffe.",
)
@click.option("--out", type=_PATH, help="The new run directory. Default: runs/NAME-TIME.")
@click.option(
    "--resume",
    type=_PATH,
    metavar="RUN",
    help="Resume this run directory. --data, --labels, --val-data and --val-labels then give the "
    "new paths of moved databases.",
)
@_effect_option("sigint", "stop", "Effect of Ctrl-C.")
@_effect_option("sighup", "snapshot", "Effect of SIGHUP, such as closing the terminal.")
@memory_limit_option
@click.option(
    "--recompute",
    is_flag=True,
    help="Recompute the outputs of cheap layers in the backward pass to save memory. The results "
    "are the same.",
)
@no_fuse_option
@precision_option
@tf32_option
@untrusted_option
@click.option("--allow-python-layers", is_flag=True, help="With --untrusted: allow Python layers.")
@import_option
@click.option(
    "--log-format",
    type=click.Choice(FORMATS),
    default="auto",
    show_default=True,
    help="caffe: Caffe's log on standard error; json: the lines of metrics.jsonl on standard "
    "output; auto: a progress bar on a terminal, else Caffe's log on standard output.",
)
@click.option("--quiet", is_flag=True, help="Print only the path of the results.")
@click.option("--verbose", is_flag=True, help="Print Caffe's log on a terminal too.")
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

    NETWORK needs no data layers: they are made from --data and --labels. If it has its own, their
    source is filled in. The results go to a new run directory: prototxt files, mean, snapshots,
    metrics.jsonl, train.log and loss.png.

    On a terminal a progress bar is shown; otherwise Caffe's log is printed. Ctrl-C takes a snapshot
    and stops; --resume continues from there, or from the newest snapshot of a killed run.

    --resume with --epochs (or --max-iter, for a run of a solver file) changes the length of a run,
    also of a finished one. From there on the learning rate follows the schedule of the new length,
    so it may rise again: after the steps of multistep, or with cosine. Steps of a solver file are
    iterations, and do not change.

    Several values of --lr or --batch-size make a training each, one after another, each in a folder
    of --out. One that fails ends the others not.
    """
    if quiet and verbose:
        raise UsageError("--quiet and --verbose contradict each other")
    if quiet and log_format != "auto":
        raise UsageError("--quiet and --log-format contradict each other")
    if log_format == "auto" and not verbose and ctx.find_root().info_name == "caffe":
        log_format = "caffe"
    effects = (options.pop("sigint_effect"), options.pop("sighup_effect"))
    ranks = ranks_of(ctx, _wanted_ranks(network, resume, options), effects)

    def run(job: Job) -> Outcome:
        with ExitStack() as stack:
            interrupts = stack.enter_context(Interrupts(*effects))
            listeners = [] if quiet else _console_listeners(stack, log_format, verbose)
            outcome = job(listeners=listeners, on_trainer=interrupts.watch, ranks=ranks)
        _report(outcome, quiet or log_format == "json")
        return outcome

    with ending_together(ranks):
        planned = choose_jobs(network, resume, _given(options))
        code = train_all(planned, run, quiet=quiet or log_format == "json")
        ranks.broadcast(None)  # the others are done
    ctx.exit(code)


def _wanted_ranks(network: str | None, resume: Path | None, options: dict[str, Any]) -> int:
    """Make ``--gpu`` the device; return the ranks to start: those given, or one for each GPU."""
    gpu, started = options.pop("gpu"), number_of_ranks()
    options["device"], count = training_device(gpu, options["device"], started)
    if gpu and count > 1 and network is None and resume is None:
        options["batch_per_rank"] = True  # as Caffe's GPUs
    if resume is not None and options["device"] is None and started == 1:
        count = _ranks_of_devices(resume)
    wanted: int | None = options["ranks"]
    if resume is not None:
        del options["ranks"]  # a run goes on with those that there are
    return count if wanted is None else wanted


def _ranks_of_devices(path: Path) -> int:
    """One rank for each device of a run; 1 if it cannot be read, which resuming it tells."""
    from protonet.jobs.run.directory import RunDirectory
    from protonet.ranks.devices import count_devices

    with suppress(ProtonetError):
        return count_devices(RunDirectory.open(path).record().settings.device)
    return 1


def _given(options: dict[str, Any]) -> dict[str, Any]:
    """The given options, by the names of the settings."""
    given = {k: v for k, v in options.items() if v is not None and v is not False}
    if options.get("mirror") is False:
        given["mirror"] = False
    if "stage" in given:
        given["stages"] = chosen_stages(given.pop("stage"))
    if given.pop("no_fuse", False):
        given["fuse"] = False
    return given


def _console_listeners(stack: ExitStack, log_format: str, verbose: bool) -> list[Listener]:
    """Listeners that print: in the chosen format, or a progress bar, or Caffe's log."""
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
            click.echo(f"{outcome.summary}; to continue:")
            ranks = run.record().settings.ranks
            click.echo(
                f"  protonet train --resume {run.path}{f' --ranks {ranks}' if ranks else ''}"
            )
        else:
            use = f"; to use it:\n  protonet infer {run.path} IMAGE" if run.deploy.exists() else ""
            click.echo(f"{outcome.summary}{use}")
    click.echo(f"results: {run.path}")
