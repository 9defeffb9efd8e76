"""``protonet upgrade``: files of old dialects in today's."""

from __future__ import annotations

from pathlib import Path

import click

from protonet.cli.examples import Exemplified

_PATH = click.Path(path_type=Path)


@click.command(
    "upgrade",
    cls=Exemplified,
    short_help="Bring a net or solver of an old dialect to today's.",
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
    """Write the prototxt or .caffemodel IN to OUT in today's dialect.

    IN may be of any dialect (V0, V1, `input`); it is not changed. The end of its name tells a
    text from a binary file with weights.
    """
    from protonet.formats.atomic import write_atomic
    from protonet.formats.caffemodel import read_model, write_model
    from protonet.proto.text import Source, read_net, read_solver, write_text

    if source.suffix == ".caffemodel":
        write_model(out, read_model(source))
    elif solver:
        write_atomic(out, write_text(read_solver(Source.read(source))).encode())
    else:
        write_atomic(out, write_text(read_net(Source.read(source)).net).encode())
    click.echo(out)
