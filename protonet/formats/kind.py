"""What a file is, whatever its name says: for errors that tell a user what he gave."""

from __future__ import annotations

from pathlib import Path

from google.protobuf.message import DecodeError, Message

from protonet.errors import FormatError
from protonet.proto.caffe_pb2 import NetParameter, SolverState

_HDF5 = b"\x89HDF\r\n\x1a\n"
_LIMIT = 2**31 - 1


def read_message(path: Path, message: Message, what: str) -> None:
    """Parse the protobuf file ``path`` into ``message``.

    Raises:
        FormatError: naming what the file looks like instead of ``what``.
    """
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise FormatError(f"{path}: cannot be read: {error.strerror}") from error
    if not data:
        raise FormatError(f"{path}: is empty; expected {what}")
    if len(data) > _LIMIT:
        raise FormatError(f"{path}: is larger than 2 GiB, which protobuf cannot hold; use HDF5")
    if data.startswith(_HDF5):
        raise FormatError(f"{path}: is an HDF5 file; name it {Path(path).name}.h5")
    try:
        message.ParseFromString(data)
    except DecodeError:
        raise FormatError(f"{path}: is {_describe(data)}; expected {what}") from None


def looks_like_state(data: bytes) -> bool:
    """Whether protobuf bytes read as a SolverState with weights or history."""
    state = SolverState()
    try:
        state.ParseFromString(data)
    except DecodeError:
        return False
    return state.HasField("iter") and bool(state.learned_net or state.history)


def looks_like_model(data: bytes) -> bool:
    """Whether protobuf bytes read as a NetParameter with layers."""
    net = NetParameter()
    try:
        net.ParseFromString(data)
    except DecodeError:
        return False
    return bool(net.layer or net.layers)


def _describe(data: bytes) -> str:
    if looks_like_state(data):
        return "a .solverstate"
    if looks_like_model(data):
        return "a .caffemodel"
    head = data[:4096]
    if b"layer" in head and b"{" in head and b"\0" not in head:
        return "a prototxt text"
    return "damaged, cut short, or no file of Caffe's"
