"""``protonet train``: train a network, resume a run, or follow one of Caffe's solver files."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from protonet.cli.caffe_flags import chosen_device
from protonet.cli.examples import Exemplified
from protonet.cli.extensions import takes_imports
from protonet.cli.interrupts import EFFECTS, INTERRUPTED, Interrupts
from protonet.cli.terminal import console, note, shows_bars
from protonet.errors import UsageError, nearest

if TYPE_CHECKING:
    from protonet.jobs.training import Outcome
    from protonet.train.events import Listener

    Job = Callable[..., Outcome]

POLICIES = ("fixed", "step", "multistep", "exp", "inv", "poly", "sigmoid")
SOLVERS = ("SGD", "Nesterov", "AdaGrad", "RMSProp", "AdaDelta", "Adam")
_OPTION_NAMES = {"steps": "step"}
_DATABASES = ("data", "labels", "val_data", "val_labels")
"""Options that --resume takes for databases that were moved."""
_PATH = click.Path(path_type=Path)


@click.command(
    "train",
    cls=Exemplified,
    short_help="Train a network, or resume a run.",
    examples=[
        "protonet train net.prototxt --data train_images --labels train_labels",
        "protonet train net.prototxt --data train_db --val-data val_db --epochs 10 --lr 0.001",
        "protonet train net.prototxt --data train_db --lr-policy multistep --step 50,75",
        "protonet train net.prototxt --data train_db --solver Adam --device cuda:0",
        "cat net.prototxt | protonet train - --data train_db --out run",
        "protonet train --resume run",
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
@click.option("--val-data", type=_PATH, help="LMDB of the validation images.")
@click.option("--val-labels", type=_PATH, help="LMDB of the validation label vectors.")
@click.option(
    "--mean",
    metavar="FILE|none",
    help="Mean to take off the images: a .binaryproto file, or 'none'. By default it is computed "
    "from the training images.",
)
@click.option(
    "--epochs", type=float, metavar="X", help="Passes over the training data. Default: 30."
)
@click.option(
    "--batch-size",
    type=click.IntRange(1),
    metavar="N",
    help="Images in a batch. Default: what the network says, or else 16.",
)
@click.option("--lr", type=float, metavar="X", help="Base learning rate. Default: 0.01.")
@click.option(
    "--lr-policy",
    type=click.Choice(POLICIES),
    help="How the learning rate falls. Default: step.",
)
@click.option(
    "--gamma",
    type=float,
    metavar="X",
    help="Factor of the policies step, multistep, exp, inv, sigmoid.",
)
@click.option("--power", type=float, metavar="X", help="Power of the policies inv and poly.")
@click.option(
    "--step",
    "steps",
    metavar="PERCENT[,PERCENT...]",
    help="Where the policies step, multistep and sigmoid change the rate, in percent of the "
    "training. Default: 33.",
)
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
@click.option(
    "--sigint-effect",
    "--sigint_effect",
    "-sigint_effect",
    type=click.Choice(EFFECTS),
    default="stop",
    show_default=True,
    help="What Ctrl-C does.",
)
@click.option(
    "--sighup-effect",
    "--sighup_effect",
    "-sighup_effect",
    type=click.Choice(EFFECTS),
    default="snapshot",
    show_default=True,
    help="What a hang-up does, such as closing the terminal.",
)
@takes_imports
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
    **options: Any,
) -> None:
    """Train the network in the prototxt file NETWORK; '-' reads it from standard input.

    NETWORK needs no data layers: they are made from --data and --labels. It may bring its own;
    then their source is filled in and the rest is kept. The results go to a new run directory:
    the texts, the mean, snapshots, metrics.jsonl, train.log and loss.png.

    On a terminal a bar shows the progress; otherwise the lines of Caffe's log are printed.
    Ctrl-C takes a snapshot and stops; --resume goes on from there, or from the newest snapshot
    of a run that was killed.
    """
    given = {k: v for k, v in options.items() if v is not None and v is not False}
    if quiet and verbose:
        raise UsageError("--quiet and --verbose contradict each other")
    if "gpu" in given:
        given["device"] = chosen_device(given.pop("gpu"), given.get("device"))
    effects = (given.pop("sigint_effect"), given.pop("sighup_effect"))
    job = _choose(network, resume, given)
    with ExitStack() as stack:
        interrupts = stack.enter_context(Interrupts(*effects))
        listeners = _console_listeners(stack, quiet, verbose)
        outcome = job(listeners=listeners, watch=interrupts.watch)
    _report(outcome, quiet)
    if outcome.result.interrupted:
        ctx.exit(INTERRUPTED)


def _choose(network: str | None, resume: Path | None, given: dict[str, Any]) -> Job:
    """The one of the three jobs that the options ask for."""
    if resume is not None:
        if network is not None:
            raise UsageError("--resume goes on with a run; it takes no NETWORK")
        return _resuming(resume, given)
    if network is not None:
        return _training(network, given)
    if "solver" in given:
        return _following(given)
    raise UsageError(
        "nothing to train: give NETWORK (a prototxt file, or '-'), "
        "--solver SOLVER.prototxt, or --resume RUN"
    )


def _resuming(run: Path, given: dict[str, Any]) -> Job:
    moved = {name: given.pop(name) for name in _DATABASES if name in given}
    _refuse_others(given, ("device",), "--resume", "a run keeps its settings")
    from protonet.jobs.training import resume

    return partial(resume, run, moved=moved, **given)


def _following(given: dict[str, Any]) -> Job:
    """Follow one of Caffe's solver files."""
    path = Path(given.pop("solver"))
    if not path.exists():
        what = f"--solver {path}: there is no such file"
        if match_solver(str(path)) is not None:
            what = f"--solver {path} names an update rule, which needs a NETWORK to train"
        raise UsageError(f"{what}; without NETWORK, --solver is one of Caffe's solver files")
    if "weights" in given and "snapshot" in given:
        raise UsageError(
            "--weights begin a training, --snapshot goes on with one; give one of them"
        )
    allowed = ("out", "device", "seed", "weights", "allow_mismatch", "snapshot", "keep")
    _refuse_others(given, allowed, f"--solver {path}", "the file has its own")
    from protonet.jobs.training import start_solver

    return partial(start_solver, path, **given)


def _training(network: str, given: dict[str, Any]) -> Job:
    """Train a pasted network."""
    if "data" not in given:
        raise UsageError("--data is missing: the LMDB of the training images")
    if "snapshot" in given:
        raise UsageError(
            "--snapshot goes on with a solver file: --solver SOLVER.prototxt; a run directory goes "
            "on with --resume, and a network begins with --weights"
        )
    if "solver" in given:
        given["solver"] = _solver_type(given["solver"])
    if "steps" in given:
        given["steps"] = percentages(given["steps"])
    from protonet.jobs.settings import RunSettings
    from protonet.jobs.training import start
    from protonet.proto.text import Source, read_net

    settings = RunSettings(**given)
    if network == "-" and sys.stdin.isatty():
        note("paste the network, then press Ctrl-D on an empty line")
    return partial(start, read_net(Source.read(network)), settings)


def _refuse_others(given: dict[str, Any], known: Sequence[str], option: str, why: str) -> None:
    odd = [_OPTION_NAMES.get(name, name).replace("_", "-") for name in given if name not in known]
    if odd:
        names = ", ".join(f"--{name}" for name in odd)
        raise UsageError(f"{option} cannot go with {names}: {why}")


def _solver_type(text: str) -> str:
    found = match_solver(text)
    if found is not None:
        return found
    if text.endswith(".prototxt") or Path(text).exists():
        raise UsageError(
            f"--solver {text} is a file, which names its net itself: leave NETWORK out, or give "
            f"an update rule ({', '.join(SOLVERS)})"
        )
    raise UsageError(
        f"--solver: no update rule '{text}'{nearest(text, SOLVERS)}\n"
        f"    known are {', '.join(SOLVERS)}"
    )


def match_solver(text: str) -> str | None:
    """The update rule that ``text`` names in any case of letters; None for none."""
    return next((name for name in SOLVERS if name.lower() == text.lower()), None)


def percentages(text: str) -> tuple[float, ...]:
    """The numbers of a list such as ``50,75``.

    Raises:
        UsageError: for anything else.
    """
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        raise UsageError(
            f"--step: expected percentages such as 33 or 50,75, got '{text}'"
        ) from None


def _console_listeners(stack: ExitStack, quiet: bool, verbose: bool) -> list[Listener]:
    """What shows the training: a bar on a terminal, Caffe's log elsewhere, nothing if unwanted."""
    from protonet.train.listeners import CaffeLog, ProgressBar

    if quiet:
        return []
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
            click.echo(f"stopped after {result.iteration} iterations; to go on:")
            click.echo(f"  protonet train --resume {run.path}")
        else:
            told = f"trained {result.iteration} iterations, loss {result.loss:.6g}"
            if run.deploy.exists():
                click.echo(f"{told}; to use it:\n  protonet infer {run.path} IMAGE")
            else:
                click.echo(told)
    click.echo(f"results: {run.path}")
