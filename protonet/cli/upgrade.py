"""``protonet upgrade``: upgrade files of old dialects."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import click

from protonet.cli.examples import CommandWithExamples

_PATH = click.Path(path_type=Path)


@click.command(
    "upgrade",
    cls=CommandWithExamples,
    short_help="Upgrade a net or solver of an old dialect.",
    examples=[
        "protonet upgrade old.prototxt new.prototxt",
        "protonet upgrade --solver solver.prototxt new_solver.prototxt",
        "protonet upgrade old.caffemodel new.caffemodel",
    ],
)
@click.argument("source", metavar="IN", type=_PATH)
@click.argument("out", metavar="OUT", type=_PATH)
@click.option("--solver", is_flag=True, help="IN is a solver, not a net.")
def command(source: Path, out: Path, solver: bool) -> None:
    """Upgrade the prototxt or .caffemodel IN to the current dialect and write it to OUT.

    IN may have any dialect (V0, V1, `input`); it is not changed. Text and binary files are
    distinguished by their endings.
    """
    if source.suffix == ".caffemodel":
        _weights(source, out)
    elif solver:
        _solver(source, out)
    else:
        _net(source, out)


def _net(source: Path, out: Path) -> None:
    from protonet.formats.atomic import write_atomic
    from protonet.proto.text import Source, read_net, write_text

    write_atomic(out, write_text(read_net(Source.read(source)).net).encode())
    click.echo(out)


def _solver(source: Path, out: Path) -> None:
    from protonet.formats.atomic import write_atomic
    from protonet.proto.text import Source, read_solver, write_text

    write_atomic(out, write_text(read_solver(Source.read(source))).encode())
    click.echo(out)


def _weights(source: Path, out: Path) -> None:
    from protonet.formats.caffemodel import read_model, write_model

    write_model(out, read_model(source))
    click.echo(out)


def _tool(name: str, what: str, upgrade: Callable[[Path, Path], None]) -> click.Command:
    """One of Caffe's tools, which take IN and OUT and nothing else."""
    paths = [click.Argument([each], metavar=each.upper(), type=_PATH) for each in ("in", "out")]
    return CommandWithExamples(
        name,
        params=list(paths),
        callback=lambda **given: upgrade(given["in"], given["out"]),
        help=f"Upgrade {what} IN to the current dialect, written to OUT, as Caffe's {name} does.",
        examples=[f"protonet {name} old new"],
    )


net_text = _tool("upgrade_net_proto_text", "the net in the prototxt", _net)
net_binary = _tool("upgrade_net_proto_binary", "the net with weights in the binary file", _weights)
solver_text = _tool("upgrade_solver_proto_text", "the solver in the prototxt", _solver)
