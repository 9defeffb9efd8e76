"""The table of layer types."""

from __future__ import annotations

from functools import cache

from protonet.errors import LayerError, UsageError, nearest
from protonet.layers.base import Layer
from protonet.registry import Registry

LAYERS: Registry[type[Layer]] = Registry("layer type", "type")

ENTRY_POINTS = "protonet.layers"
"""The group of entry points by which packages make their layers known."""

register = LAYERS.register
"""Class decorator: make a Layer class known under a type; a second one is refused."""


def layer_class(name: str) -> type[Layer]:
    """The class registered under ``name``.

    Raises:
        LayerError: for an unknown type; names the nearest known one.
    """
    if name not in LAYERS:
        load_entry_points()
    try:
        return LAYERS[name]
    except KeyError:
        raise LayerError(
            f"unknown layer type '{name}'{nearest(name, LAYERS)}",
            ("type",),
            "protonet layers lists the types that are known; --import MODULE adds your own",
        ) from None


def layer_types() -> list[str]:
    """The names of all registered types, sorted."""
    load_entry_points()
    return LAYERS.names()


@cache
def load_entry_points() -> None:
    """Import the modules that installed packages name in the group ``protonet.layers``.

    Raises:
        UsageError: naming the package whose module cannot be imported.
    """
    from importlib.metadata import entry_points

    for each in entry_points(group=ENTRY_POINTS):
        try:
            each.load()
        except Exception as error:
            raise UsageError(
                f"entry point '{each.name}' ({each.value}) in {ENTRY_POINTS}: {error}"
            ) from error
