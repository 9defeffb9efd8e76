"""``protonet layers``: the reference of layer types, included in the wheel."""

from __future__ import annotations

import click

from protonet.cli.examples import CommandWithExamples
from protonet.cli.extensions import import_option, own_types
from protonet.cli.terminal import console, print_table
from protonet.errors import UsageError, nearest


@click.command(
    "layers",
    cls=CommandWithExamples,
    short_help="List the layer types, or explain one.",
    examples=[
        "protonet layers",
        "protonet layers InnerProduct",
        "protonet layers SoftmaxWithLoss | less",
        "protonet layers --import my_layers",
    ],
)
@click.argument("name", metavar="[TYPE]", required=False)
@import_option
def command(name: str | None) -> None:
    """List the layer types, or explain the one named TYPE.

    The page of a type has its formula, the shapes of its bottoms and tops, its parameters with
    their defaults, its differences from Caffe, and an example.
    """
    from protonet.resources import layer_page, layer_pages

    own = own_types()
    if name is None:
        rows = [(page, purpose(layer_page(page) or "")) for page in layer_pages()]
        rows += [(kind, purpose(text)) for kind, text in own.items()]
        print_table(("type", "purpose"), rows, folds=("purpose",))
        return
    text = own.get(name, layer_page(name))
    if text is None:
        raise UsageError(
            f"no layer type '{name}'{nearest(name, [*layer_pages(), *own])}\n"
            "`protonet layers` lists the known types"
        )
    where = console()
    if not where.is_terminal or name in own:
        click.echo(text.rstrip())
        return
    from rich.markdown import Markdown

    where.print(Markdown(text))


def purpose(page: str) -> str:
    """The first paragraph of a page, as one line."""
    paragraphs = (block.strip() for block in page.split("\n\n"))
    found = next((text for text in paragraphs if text and not text.startswith("#")), "")
    return " ".join(found.split())
