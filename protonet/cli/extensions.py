"""``--import``: register users' layers before a command reads a network."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import click

C = TypeVar("C", bound=Callable[..., Any])


def _import(ctx: click.Context, _: click.Parameter, modules: Sequence[str]) -> None:
    if not modules or ctx.resilient_parsing:
        return
    from protonet.layers.extensions import import_module

    for module in modules:
        import_module(module)


def import_option(command: C) -> C:
    """``--import``, handled before the command runs."""
    option = click.option(
        "--import",
        "imports",
        multiple=True,
        metavar="MODULE",
        expose_value=False,
        is_eager=True,
        callback=_import,
        help="Python module with custom layers: a name, or a .py file. May be repeated.",
    )
    return option(command)


def own_types() -> dict[str, str]:
    """The layer types that modules and installed packages added, with their docstrings.

    Empty, without importing layers, if no module or package adds any.
    """
    import sys
    from importlib.metadata import entry_points

    if "protonet.layers.registry" not in sys.modules and not entry_points(group="protonet.layers"):
        return {}
    import inspect

    from protonet.layers import layer_class, layer_types

    classes = {name: layer_class(name) for name in layer_types()}
    return {
        name: inspect.getdoc(cls) or ""
        for name, cls in classes.items()
        if not cls.__module__.startswith("protonet.layers.")
    }
