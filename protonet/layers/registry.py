"""The table of layer types. The one mutable global of the package."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from protonet.errors import LayerError, nearest
from protonet.layers.base import Layer

_LAYERS: dict[str, type[Layer]] = {}

L = TypeVar("L", bound=type[Layer])


def register(name: str) -> Callable[[L], L]:
    """Class decorator: make a Layer class known under ``name``; a second one is refused."""

    def enter(cls: L) -> L:
        if name in _LAYERS:
            raise ValueError(f"layer type '{name}' is registered twice: {_LAYERS[name]} and {cls}")
        cls.type = name
        _LAYERS[name] = cls
        return cls

    return enter


def layer_class(name: str) -> type[Layer]:
    """The class registered under ``name``.

    Raises:
        LayerError: for an unknown type; names the nearest known one.
    """
    try:
        return _LAYERS[name]
    except KeyError:
        raise LayerError(
            f"unknown layer type '{name}'{nearest(name, _LAYERS)}",
            ("type",),
            "protonet layers lists the types that are known",
        ) from None


def layer_types() -> list[str]:
    """The names of all registered types, sorted."""
    return sorted(_LAYERS)
