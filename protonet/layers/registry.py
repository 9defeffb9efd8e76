"""The table of layer types."""

from __future__ import annotations

from protonet.errors import LayerError, nearest
from protonet.layers.base import Layer
from protonet.registry import Registry

LAYERS: Registry[type[Layer]] = Registry("layer type", "type")

register = LAYERS.register
"""Class decorator: make a Layer class known under a type; a second one is refused."""


def layer_class(name: str) -> type[Layer]:
    """The class registered under ``name``.

    Raises:
        LayerError: for an unknown type; names the nearest known one.
    """
    try:
        return LAYERS[name]
    except KeyError:
        raise LayerError(
            f"unknown layer type '{name}'{nearest(name, LAYERS)}",
            ("type",),
            "protonet layers lists the types that are known",
        ) from None


def layer_types() -> list[str]:
    """The names of all registered types, sorted."""
    return LAYERS.names()
