"""The entry point: dispatches to commands, and turns errors into exit codes."""

from __future__ import annotations

import errno
import gc
import importlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import click

import protonet
from protonet.cli.examples import GroupWithExamples
from protonet.cli.terminal import complain, note, wants_color
from protonet.errors import ProtonetError, nearest
from protonet.jobs.tasks.failures import REPORTED, failure_of

_COMMANDS = {
    "create-db": "create_db",
    "check": "check",
    "train": "train",
    "infer": "infer",
    "classify": "classify",
    "test": "test_net",
    "time": "time_net",
    "profile": "profile",
    "serve": "serve",
    "layers": "layers",
    "draw": "draw",
    "plot": "plot",
    "learning-rate": "learning_rate",
    "augment": "augment",
    "compare": "compare",
    "parse-log": "parse_log",
    "convert-vectors": "convert_vectors",
    "convert-imageset": "convert_imageset",
    "convert-folders": "convert_folders",
    "convert-lists": "convert_lists",
    "convert-detection": "convert_detection",
    "convert-segmentation": "convert_segmentation",
    "inspect-data": "inspect_data",
    "compute-image-mean": "compute_image_mean",
    "extract-features": "extract_features",
    "convert-weights": "convert_weights",
    "export-onnx": "export_onnx",
    "quantize": "quantize",
    "upgrade": "upgrade",
    "device-query": "device_query",
}

_TOOLS = {
    "classification": ("classify", "command"),
    "draw-net": ("draw", "command"),
    "plot-training-log": ("plot", "training_log"),
    "upgrade-net-proto-binary": ("upgrade", "net_binary"),
    "upgrade-net-proto-text": ("upgrade", "net_text"),
    "upgrade-solver-proto-text": ("upgrade", "solver_text"),
}
"""Aliases for Caffe's tools, not listed in the help."""

_REST_OF_BLAS = ("OPENBLAS_THREAD_TIMEOUT", "22")
"""NumPy's OpenBLAS starts its threads when it is imported, and they spin until they have waited
2^26 ticks of the processor: some 30 ms of each core, also beside kernels that want it. 2^22 ticks
outlast what is between two products.
"""


def _spelt(name: str) -> str:
    """A command's canonical name: Caffe's tools have underscores, and file endings."""
    return name.removesuffix(".py").removesuffix(".bin").replace("_", "-")


class LazyGroup(GroupWithExamples):
    """A group that imports the module of a command lazily."""

    def list_commands(self, _: click.Context) -> list[str]:
        """The commands in the order of use."""
        return list(_COMMANDS)

    def get_command(self, _: click.Context, cmd_name: str) -> click.Command | None:
        """The command of this name, or None."""
        cmd_name = _spelt(cmd_name)
        if cmd_name in _TOOLS:
            name, attribute = _TOOLS[cmd_name]
        elif cmd_name in _COMMANDS:
            name, attribute = _COMMANDS[cmd_name], "command"
        else:
            return None
        module = importlib.import_module(f"protonet.cli.{name}")
        command: click.Command = getattr(module, attribute)
        self.commands[cmd_name] = command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command of the first argument; the error for an unknown one has the nearest name."""
        if _spelt(args[0]) not in {**_COMMANDS, **_TOOLS} and not args[0].startswith("-"):
            raise click.UsageError(f"no command '{args[0]}'{nearest(args[0], _COMMANDS)}", ctx)
        return super().resolve_command(ctx, args)


def _print_version(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    if not wanted or ctx.resilient_parsing:
        return
    click.echo(f"protonet {protonet.__version__}")
    ctx.exit()


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="`protonet COMMAND --help` shows the options of a command, with examples.",
    examples=[
        "protonet create-db gradients data -x 50 -y 50 -c 100",
        "protonet check net.prototxt --data data/train_images --labels data/train_labels",
        "protonet train net.prototxt --data data/train_images --labels data/train_labels",
        "protonet infer runs/net-20260131-120000 data/test.png",
        "protonet layers InnerProduct",
    ],
)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_version,
    help="Print the version and exit.",
)
def app() -> None:
    """Train Caffe network definitions, and predict with the trained nets."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program with ``arguments`` (by default ``sys.argv``) and return its exit code.

    A user's mistake is reported on standard error, without a traceback.
    """
    color = None if wants_color() else False
    try:
        whole = arguments is None  # of a script, a command is a part
        if whole:
            os.environ.setdefault(*_REST_OF_BLAS)  # before NumPy is imported
        code = app.main(
            arguments, prog_name=_program(), standalone_mode=False, color=color, obj=whole
        )
        sys.stdout.flush()
        if whole:
            gc.freeze()  # at its end the process would look for garbage among all that it imported
        return code if isinstance(code, int) else 0
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except click.Abort as error:  # click's form of KeyboardInterrupt
        cause = error.__cause__
        return _fail(cause if isinstance(cause, KeyboardInterrupt) else KeyboardInterrupt())
    except OSError as error:
        return _end_of_pipe() if error.errno == errno.EPIPE else _fail(error)
    except REPORTED as error:
        return _fail(error)


def _program() -> str:
    """The name of the program as called: protonet, or caffe."""
    called = Path(sys.argv[0]).stem if sys.argv else ""
    return called if called == "caffe" else "protonet"


def _fail(error: BaseException) -> int:
    """Report an error; return the exit code."""
    failure = failure_of(error)
    for message in failure.errors:
        complain(message)
    for remark in failure.remarks:
        note(remark)
    return failure.code


def _end_of_pipe() -> int:
    """Exit silently when the reader of a pipe has closed it."""
    # The interpreter flushes standard output again at exit.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return ProtonetError.exit_code
