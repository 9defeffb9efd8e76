"""``protonet serve``: the web interface."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from protonet.cli.examples import CommandWithExamples
from protonet.cli.options import Fraction
from protonet.errors import UsageError

_PATH = click.Path(path_type=Path)


@click.command(
    "serve",
    cls=CommandWithExamples,
    short_help="Serve the web page: data sets, models, trainings, tests.",
    examples=[
        "protonet serve",
        "protonet serve work --allow ~/images --port 9000",
        "protonet serve --host 0.0.0.0",
    ],
)
@click.argument("folder", metavar="[DIR]", type=_PATH, default="protonet-work")
@click.option("--host", metavar="ADDRESS", default="127.0.0.1", show_default=True,
              help="Address to listen on. Other machines need the printed token.")  # fmt: skip
@click.option(
    "--port",
    type=click.IntRange(1, 65535),
    metavar="N",
    default=8080,
    show_default=True,
    help="Port to listen on.",
)
@click.option(
    "--allow",
    "allowed",
    type=_PATH,
    multiple=True,
    metavar="DIR",
    help="Folder whose files may be used, in addition to DIR. May be repeated.",
)
@click.option(
    "--memory-limit", type=Fraction(min=0.1), metavar="GIB", default=4.0,
    show_default=True, help="Memory limit of a training.",
)  # fmt: skip
@click.option(
    "--upload-limit", type=click.IntRange(min=1), metavar="MIB", default=512, show_default=True,
    help="Size limit of an upload.",
)  # fmt: skip
def command(
    folder: Path,
    host: str,
    port: int,
    allowed: Sequence[Path],
    memory_limit: float,
    upload_limit: int,
) -> None:
    """Serve the web page from the workspace DIR, which is created if it does not exist.

    Jobs and data sets are stored in DIR. Trainings are separate processes: they continue when the
    server stops, and the next server finds them. Pasted networks cannot run their own code or use
    files outside DIR and the --allow folders.
    """
    try:
        from protonet.web.server import serve
    except ImportError as error:
        raise UsageError("the page needs its libraries: pip install 'protonet[web]'") from error
    from protonet.web.workspace import GIB, Limits

    limits = Limits(memory=int(memory_limit * GIB), upload=upload_limit << 20)
    serve(folder, host=host, port=port, allowed=tuple(allowed), limits=limits, announce=click.echo)
