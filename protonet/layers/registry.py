"""The registry of layer types."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import TypeVar

from protonet.errors import LayerError, UsageError, nearest
from protonet.layers.base import Layer
from protonet.registry import Registry

LAYERS: Registry[type[Layer]] = Registry("layer type", "type")

ENTRY_POINTS = "protonet.layers"
"""The group of entry points by which packages register layers."""

L = TypeVar("L", bound=Layer)


def register(name: str) -> Callable[[type[L]], type[L]]:
    """Class decorator: register a Layer class under a type; a second one is refused."""

    def enter(cls: type[L]) -> type[L]:
        if chapters().get(name, cls.__module__) != cls.__module__:
            import_module(chapters()[name])  # so that it is the first one
        LAYERS.register(name)(cls)
        return cls

    return enter


@cache
def chapters() -> dict[str, str]:
    """The module of this package that registers each type, from the source text.

    A net needs few of them, and importing all takes a tenth of a second.
    """
    found: dict[str, str] = {}
    for source in Path(__file__).parent.glob("*.py"):
        for rest in source.read_bytes().split(b'\n@register("')[1:]:
            found[rest[: rest.index(b'"')].decode()] = f"{__package__}.{source.stem}"
    return found


def layer_class(name: str, *, guess: bool = True) -> type[Layer]:
    """The class registered under ``name``.

    Raises:
        LayerError: for an unknown type; with ``guess``, names the nearest known one.
    """
    if name not in LAYERS and name in chapters():
        import_module(chapters()[name])
    if name not in LAYERS:
        load_entry_points()
    try:
        return LAYERS[name]
    except KeyError:
        near = nearest(name, layer_types()) if guess else ""
        raise LayerError(
            f"unknown layer type '{name}'{near}",
            ("type",),
            "protonet layers lists the types that are known; --import MODULE adds your own",
        ) from None


def layer_types() -> list[str]:
    """The names of all registered types, sorted."""
    load_entry_points()
    return sorted({*LAYERS, *chapters()})


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
