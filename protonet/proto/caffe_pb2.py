"""The messages and enums of Caffe's schema, ``proto/caffe.proto``; ``caffe.binpb`` is its
compiled form. ``make proto`` makes that, and the types of this module.

The class of a message is made when it is asked for; protobuf makes those of its fields when it
meets them. What protoc would generate makes all of them at once, and takes half a MiB more.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from google.protobuf import descriptor as _descriptor
from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper
from google.protobuf.message import Message

_SERIALIZED = Path(__file__).with_name("caffe.binpb").read_bytes()
_COMPILED = getattr(_descriptor, "_message", None) if _descriptor._USE_C_DESCRIPTORS else None
"""The compiled part of protobuf; None where it computes in plain Python. Its pool and its classes
are asked for here directly: protobuf's own modules for that take 0.4 MiB.
"""

if _COMPILED is not None:
    DESCRIPTOR: Any = _COMPILED.default_pool.AddSerializedFile(_SERIALIZED)
else:
    from google.protobuf.descriptor_pool import Default
    from google.protobuf.message_factory import GetMessageClass

    DESCRIPTOR = Default().AddSerializedFile(_SERIALIZED)


def _enums() -> dict[str, Any]:
    """The enums that are in no message, and their values."""
    found: dict[str, Any] = {}
    for name, enum in DESCRIPTOR.enum_types_by_name.items():
        found[name] = EnumTypeWrapper(enum)
        found.update((value.name, value.number) for value in enum.values)
    return found


_made = _enums()
globals().update(_made)
__all__ = ["DESCRIPTOR", *_made, *DESCRIPTOR.message_types_by_name]


def __getattr__(name: str) -> Any:
    """The class of a message."""
    if name not in DESCRIPTOR.message_types_by_name:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    descriptor = DESCRIPTOR.message_types_by_name[name]
    if _COMPILED is not None:
        told = {"DESCRIPTOR": descriptor, "__module__": __name__}
        made = _COMPILED.MessageMeta(name, (Message,), told)
    else:  # protobuf in plain Python needs those of all fields first
        made = GetMessageClass(descriptor)
    globals()[name] = made
    return made


def __dir__() -> list[str]:
    return __all__
