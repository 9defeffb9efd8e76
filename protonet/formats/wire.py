"""Walks the wire format of a net with its weights, leaving out or marking the values of blobs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any

from google.protobuf.descriptor import Descriptor

from protonet.proto.caffe_pb2 import BlobProto

Instead = Callable[[int, int, int], bytes | None]
"""What stands in place of a field of a blob, called with the field's number and where its value
begins and ends if that is length-delimited, else 0, 0; None for the field itself.
"""


def rewritten(data: Any, at: int, end: int, kind: Descriptor, instead: Instead) -> Iterator[bytes]:
    """The bytes of a message of this kind with the fields of its blobs replaced.

    Raises:
        ValueError: for what is no such message.
    """
    inner = _inner(kind)
    is_blob = kind is BlobProto.DESCRIPTOR
    while at < end:
        begin = at
        tag, at = _varint(data, at, end)
        number, wire = tag >> 3, tag & 7
        content = at
        if wire == 2:
            size, content = _varint(data, at, end)
            at = content + size
        elif wire == 0:
            _, at = _varint(data, at, end)
        elif wire in (1, 5):
            at += 8 if wire == 1 else 4
        else:
            raise ValueError("a group, or no message")
        if at > end:
            raise ValueError("cut short")
        if wire == 2 and number in inner:
            message = b"".join(rewritten(data, content, at, inner[number], instead))
            yield field_of(number, message)
            continue
        found = None
        if is_blob:
            found = instead(number, content, at) if wire == 2 else instead(number, 0, 0)
        yield data[begin:at] if found is None else found


def field_of(number: int, value: bytes) -> bytes:
    """A length-delimited field."""
    return _as_varint(number << 3 | 2) + _as_varint(len(value)) + value


@cache
def _inner(kind: Descriptor) -> Mapping[int, Descriptor]:
    """The fields of a message, by number, that lead to blobs."""
    return {
        field.number: field.message_type
        for field in kind.fields
        if field.message_type is not None and _may_have_blobs(field.message_type)
    }


def _may_have_blobs(kind: Descriptor) -> bool:
    """Whether messages of this kind are blobs, or layers, which have them."""
    return (
        kind is BlobProto.DESCRIPTOR
        or any(field.message_type is BlobProto.DESCRIPTOR for field in kind.fields)
        or kind.name.endswith("LayerParameter")
    )


def _varint(data: Any, at: int, end: int) -> tuple[int, int]:
    """A number, and where the next one begins."""
    value = shift = 0
    while at < end and shift < 64:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
    raise ValueError("cut short")


def _as_varint(value: int) -> bytes:
    found = bytearray()
    while value >= 0x80:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    found.append(value)
    return bytes(found)
