"""Settings that prototxt can give in alternative fields."""

from __future__ import annotations

from typing import Any

from protonet.errors import LayerError
from protonet.layers.base import Layer


def one_of_two_messages(layer: Layer, field: str, other: str) -> tuple[Any, str]:
    """The parameters of a layer from either of two messages, and the message's name."""
    if layer.spec.HasField(field) and layer.spec.HasField(other):
        raise LayerError(f"{field} and {other} are both given; give one of them", (other,))
    name = other if layer.spec.HasField(other) else field
    return getattr(layer.spec, name), name


def h_w_fields(param: Any, field: str, name: str, single: str) -> list[str]:
    """Which of ``<name>_h`` and ``<name>_w`` a message has; none if it has ``single``, one
    number for both, or neither form.

    Raises:
        LayerError: for both forms.
    """
    parts = [f"{name}_{part}" for part in "hw" if param.HasField(f"{name}_{part}")]
    if parts and param.HasField(single):
        raise LayerError(
            f"{single} and {parts[0]} are both given; give one of the two forms", (field, parts[0])
        )
    return parts


def h_w_pair(param: Any, field: str, name: str, single: str) -> list[str]:
    """As ``h_w_fields``, but both or none must be given.

    Raises:
        LayerError: for both forms, or one part alone.
    """
    parts = h_w_fields(param, field, name, single)
    if len(parts) == 1:
        missing = f"{name}_w" if parts[0].endswith("h") else f"{name}_h"
        raise LayerError(f"{parts[0]} needs {missing} as well", (field, parts[0]))
    return parts
