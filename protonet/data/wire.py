"""Parses the wire format of a Datum, copying its data only once."""

from __future__ import annotations

from google.protobuf.message import DecodeError

from protonet.proto.caffe_pb2 import AnnotatedDatum, Datum

_LEAST = 2**14
"""Bytes of a record above which the scan pays."""
_DATA = Datum.DESCRIPTOR.fields_by_name["data"].number << 3 | 2
_FLOATS = {Datum.DESCRIPTOR.fields_by_name["float_data"].number << 3 | kind for kind in (2, 5)}
_FIXED = {1: 8, 5: 4}
_IMAGE = AnnotatedDatum.DESCRIPTOR.fields_by_name["datum"].number << 3 | 2
"""Begins a record with boxes. The same field of a Datum is a number."""


def is_annotated(record: bytes | memoryview) -> bool:
    """Whether a record is an AnnotatedDatum, whose first field is the Datum of its image."""
    return len(record) > 0 and record[0] == _IMAGE


def datum_bytes(record: bytes | memoryview) -> bytes | memoryview:
    """The Datum of a record: that of its image where it has boxes, else the record itself.

    Raises:
        DecodeError: for a record that is cut short.
    """
    if not is_annotated(record):
        return record
    try:
        size, at = _number(record, 1)
    except IndexError:
        raise DecodeError("a record that is cut short") from None
    if at + size > len(record):
        raise DecodeError("a record that is cut short")
    return record[at : at + size]


def parse_datum(record: bytes | memoryview) -> tuple[Datum, bytes]:
    """The message of a record, whose ``data`` may be empty, and its data; of a record with boxes,
    those of its image.

    The protobuf library copies the data when it parses and again at each access.

    Raises:
        DecodeError: for what is no Datum.
    """
    record = datum_bytes(record)
    found = _find_data(record) if len(record) >= _LEAST else None
    if found is None:
        whole = Datum.FromString(bytes(record))
        return whole, whole.data
    start, begin, end = found
    datum = Datum.FromString(bytes(record[:start]) + bytes(record[end:]))
    return datum, bytes(record[begin:end])


def _find_data(record: bytes | memoryview) -> tuple[int, int, int] | None:
    """Where the field begins, its value, and its end; None where it is not found at once.

    Only the last one counts where there are several, and floats are many fields: those are left
    to the library, and so is whatever is damaged.
    """
    at, found = 0, None
    try:
        while at < len(record):
            start = at
            tag, at = _number(record, at)
            kind = tag & 7
            if kind == 0:
                _, at = _number(record, at)
            elif kind == 2:
                size, at = _number(record, at)
                if tag == _DATA:
                    if found is not None:
                        return None
                    found = (start, at, at + size)
                at += size
            else:
                at += _FIXED[kind]
            if tag in _FLOATS:
                return None
    except (IndexError, KeyError):
        return None
    return found if at == len(record) else None


def _number(record: bytes | memoryview, at: int) -> tuple[int, int]:
    """A varint, and where it ends."""
    value = shift = 0
    while True:
        byte = record[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
        shift += 7


def without(record: bytes | memoryview, field: int) -> bytes:
    """A record without its length-delimited fields of this number, whose bytes are not read; as it
    is where it is damaged.
    """
    parts, kept, at = [], 0, 0
    try:
        while at < len(record):
            start = at
            tag, at = _number(record, at)
            kind = tag & 7
            if kind == 0:
                _, at = _number(record, at)
            elif kind == 2:
                size, at = _number(record, at)
                at += size
                if tag >> 3 == field and at <= len(record):
                    parts.append(bytes(record[kept:start]))
                    kept = at
            else:
                at += _FIXED[kind]
    except (IndexError, KeyError):
        return bytes(record)
    parts.append(bytes(record[kept:]))
    return b"".join(parts)
