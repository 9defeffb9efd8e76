"""What a file is told to be."""

from __future__ import annotations

import os
import tracemalloc
from pathlib import Path

import pytest

from protonet.errors import FormatError, UsageError
from protonet.formats import kind
from protonet.formats.kind import describe, is_hdf5, is_torch7, read_message
from protonet.proto.caffe_pb2 import BlobProto, Datum, LayerParameter, NetParameter, SolverState

GOLDEN = Path(__file__).parents[1] / "golden" / "solvers"
MODEL = GOLDEN / "sgd" / "snap_iter_5.caffemodel"
STATE = GOLDEN / "sgd" / "snap_iter_5.solverstate"

TORCH = Path(__file__).parents[1] / "golden_torch7" / "trainings" / "digits"

DAMAGED = "damaged, cut short, or no file of Caffe's"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "empty"),
        (MODEL.read_bytes(), "a .caffemodel (weights)"),
        (STATE.read_bytes(), "a .solverstate (the state of a solver)"),
        ((GOLDEN / "adam" / "snap_iter_5.caffemodel.h5").read_bytes(), "an HDF5 file"),
        ((GOLDEN / "sgd" / "net.prototxt").read_bytes(), "a text, perhaps a prototxt"),
        ("mean: 'Größe'\n".encode() + "ß".encode() * 3000, "a text, perhaps a prototxt"),
        (b"\x89PNG\r\n\x1a\n" + bytes(20), "an image"),
        ((TORCH / "model.t7").read_bytes(), "a .t7 file of Torch7"),
        ((TORCH / "model.ascii.t7").read_bytes(), "a .t7 file of Torch7"),
        (
            BlobProto(num=1, channels=1, height=1, width=2, data=[1, 2]).SerializeToString(),
            "a .binaryproto (one blob, such as a mean image)",
        ),
        (MODEL.read_bytes()[:-30], DAMAGED),
        (STATE.read_bytes()[:-30], DAMAGED),
        (bytes(100), DAMAGED),
        (b"\xff\xfe" * 50, DAMAGED),
        (NetParameter(name="\x01 no layers").SerializeToString(), DAMAGED),
    ],
)
def test_contents_are_recognised(data: bytes, words: str) -> None:
    assert describe(data) == words


def test_files_of_torch_are_told_from_others() -> None:
    assert is_torch7(TORCH / "weights.t7")
    assert not is_torch7(MODEL)
    assert not is_torch7(Path(__file__))


def test_random_bytes_are_nothing() -> None:
    for _ in range(200):
        assert describe(b"\x01" + os.urandom(300)) == DAMAGED


def test_a_message_of_the_right_kind() -> None:
    assert read_message(MODEL, NetParameter, "weights").name == "solver_case"
    assert read_message(STATE, SolverState, "a state").iter == 5


def test_a_message_of_another_kind() -> None:
    with pytest.raises(
        FormatError, match=r"snap_iter_5\.solverstate: is a \.solverstate .*; expected"
    ):
        read_message(STATE, NetParameter, "weights")
    with pytest.raises(FormatError, match=r"is a \.caffemodel \(weights\); expected a state"):
        read_message(MODEL, SolverState, "a state")
    with pytest.raises(FormatError, match=r"is a \.caffemodel \(weights\); expected a mean"):
        read_message(MODEL, BlobProto, "a mean")


def test_messages_that_are_no_files() -> None:
    with pytest.raises(TypeError, match="no file of Caffe's holds a Datum"):
        read_message(MODEL, Datum, "a datum")


def test_hdf5_is_known_by_its_signature(tmp_path: Path) -> None:
    assert is_hdf5(GOLDEN / "adam" / "snap_iter_5.solverstate.h5")
    assert not is_hdf5(STATE)
    (tmp_path / "short").write_bytes(b"\x89HDF")
    assert not is_hdf5(tmp_path / "short")


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="absent: cannot be read: No such file or directory"):
        is_hdf5(tmp_path / "absent")
    with pytest.raises(UsageError, match="cannot be read: Is a directory"):
        read_message(tmp_path, NetParameter, "weights")


def test_a_file_that_is_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    size = MODEL.stat().st_size
    monkeypatch.setattr(kind, "SIZE_LIMIT", size)
    read_message(MODEL, NetParameter, "weights")
    monkeypatch.setattr(kind, "SIZE_LIMIT", size - 1)
    with pytest.raises(FormatError, match=r"snap_iter_5\.caffemodel: is larger than 2 GiB"):
        read_message(MODEL, NetParameter, "weights")


def test_a_small_file_takes_little_memory(tmp_path: Path) -> None:
    path = tmp_path / "a.caffemodel"
    path.write_bytes(NetParameter(name="n", layer=[LayerParameter(name="l")]).SerializeToString())
    tracemalloc.start()
    assert read_message(path, NetParameter, "weights").name == "n"
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**20
