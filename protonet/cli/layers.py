"""``protonet layers``: the reference of layer types, as the wheel carries it."""

from __future__ import annotations

import click

from protonet.cli.terminal import console, print_table
from protonet.errors import UsageError, nearest


@click.command("layers", short_help="List the layer types, or explain one.")
@click.argument("name", metavar="[TYPE]", required=False)
def command(name: str | None) -> None:
    """List the layer types that can be used in a network, or explain the one named TYPE.

    A type's page holds its formula, the shapes of its bottoms and tops, its parameters with
    their defaults, how it differs from Caffe, and an example.

    \b
    Examples:
      protonet layers
      protonet layers InnerProduct
      protonet layers SoftmaxWithLoss | less
    """
    from protonet.resources import layer_page, layer_pages

    if name is None:
        pages = {page: layer_page(page) for page in layer_pages()}
        print_table(("type", "purpose"), [(page, _purpose(text)) for page, text in pages.items()])
        return
    text = layer_page(name)
    if text is None:
        raise UsageError(
            f"no layer type '{name}'{nearest(name, layer_pages())}\n"
            "`protonet layers` lists the types that are known"
        )
    where = console()
    if not where.is_terminal:
        click.echo(text.rstrip())
        return
    from rich.markdown import Markdown

    where.print(Markdown(text))


def _purpose(page: str | None) -> str:
    """The first line of prose under the page's title."""
    lines = (line.strip() for line in (page or "").splitlines())
    return next((line for line in lines if line and not line.startswith("#")), "")
