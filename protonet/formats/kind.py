"""The type of a file by its content, for error messages."""

from __future__ import annotations

import os
import re
from codecs import getincrementaldecoder
from pathlib import Path
from typing import TypeVar

from google.protobuf.message import DecodeError, Message

from protonet.errors import FormatError, UsageError
from protonet.proto.caffe_pb2 import BlobProto, NetParameter, SolverState

HDF5_SIGNATURE = b"\x89HDF\r\n\x1a\n"

SIZE_LIMIT = 2**31 - 1
"""Bytes of the largest message of protobuf."""

_TORCH = re.compile(rb"[\x03\x04]\0\0\0\x01\0\0\0|[34]\n1\n\d{1,10}\n")
"""The first table or object of a file of ``torch.save``, binary or ascii."""

_IMAGES = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"BM")

M = TypeVar("M", bound=Message)


def is_hdf5(path: Path) -> bool:
    """Whether the file is HDF5.

    Raises:
        UsageError: when it cannot be read.
    """
    return _read(path, len(HDF5_SIGNATURE)) == HDF5_SIGNATURE


def is_torch7(path: Path) -> bool:
    """Whether the file is a .t7 of Torch7, with a table or an object.

    Raises:
        UsageError: when it cannot be read.
    """
    return _TORCH.match(_read(path, 16)) is not None


def read_message(path: Path, kind: type[M], wanted: str) -> M:
    """The protobuf message in a file expected to be ``wanted``, such as "a .caffemodel".

    Raises:
        UsageError: when it cannot be read.
        FormatError: when it is too large or another file; says what it looks like instead.
    """
    data = _read(path, SIZE_LIMIT + 1)
    if len(data) > SIZE_LIMIT:
        raise FormatError(f"{path}: is larger than 2 GiB; such weights are stored as HDF5 (.h5)")
    try:
        message: M = kind.FromString(data)
    except DecodeError:
        raise _of_another_kind(path, describe(data), wanted) from None
    if not _holds(message, data):
        raise _of_another_kind(path, describe(data), wanted)
    return message


def _of_another_kind(path: Path, looks: str, wanted: str) -> FormatError:
    """What the file is and what was expected; for the two files of a snapshot, also the option
    that takes it.
    """
    hint = ""
    if looks.startswith("a .caffemodel") and wanted.startswith("a .solverstate"):
        hint = "; the weights alone begin a new training: --weights"
    elif looks.startswith("a .solverstate") and wanted.startswith("a .caffemodel"):
        hint = (
            "; a state goes on with a training: --snapshot; its weights are in a file of their own"
        )
    return FormatError(f"{path}: is {looks}; expected {wanted}{hint}")


def describe(data: bytes) -> str:
    """What a file looks like by its content: a phrase such as "an image"."""
    if not data:
        return "empty"
    if data.startswith(HDF5_SIGNATURE):
        return "an HDF5 file"
    if data.startswith(_IMAGES):
        return "an image"
    if _TORCH.match(data):
        return "a .t7 file of Torch7"
    for kind, name in (
        (SolverState, "a .solverstate (the state of a solver)"),
        (NetParameter, "a .caffemodel (weights)"),
        (BlobProto, "a .binaryproto (one blob, such as a mean image)"),
    ):
        try:
            if _holds(kind.FromString(data), data):
                return name
        except DecodeError:
            continue
    if _is_text(data[:4096]):
        return "a text, perhaps a prototxt"
    return "damaged, cut short, or no file of Caffe's"


def _holds(message: Message, data: bytes) -> bool:
    """Whether ``data`` is really this message.

    Most bytes that parse as one message of Caffe parse as another, too, with unknown fields; the
    type of field 1 and the fields that every real file has distinguish them.
    """
    if isinstance(message, SolverState):
        return message.HasField("iter") and bool(message.learned_net or message.history)
    if isinstance(message, NetParameter):
        field_1_is_number = data.startswith(b"\x08")
        return bool(message.layer or message.layers) and not field_1_is_number
    if isinstance(message, BlobProto):
        return bool(message.data or message.double_data) and (
            message.HasField("shape") or message.HasField("num")
        )
    raise TypeError(f"no file of Caffe's holds a {type(message).__name__}")


def _is_text(head: bytes) -> bool:
    """Whether the beginning of a file is UTF-8 without control characters."""
    if any(byte < 32 and byte not in b"\t\n\f\r" for byte in head):
        return False
    try:
        # Incremental: the last character may be truncated.
        getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return False
    return True


def _read(path: Path, limit: int) -> bytes:
    """The first ``limit`` bytes of a file."""
    try:
        with Path(path).open("rb") as file:
            # read(n) allocates n bytes first, so n must not exceed the size.
            size = os.fstat(file.fileno()).st_size
            data = file.read(min(limit, size + 1))
            while size < len(data) < limit:  # a pipe, or a file that grows
                more = file.read(min(limit - len(data), 1 << 20))
                if not more:
                    break
                data += more
            return data
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from error
