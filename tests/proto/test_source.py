"""Texts with the places of what they say, and files that are none."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest

from protonet.errors import UsageError
from protonet.proto.caffe_pb2 import LayerParameter
from protonet.proto.source import Source
from protonet.proto.text import read_net


def test_position_and_mistake() -> None:
    source = Source("net", 'name: "x"\r\nlayer { name: "l" }\r\n')
    assert source.position(("layer", 0, "name")) == (2, 15)
    mistake = source.mistake(("layer", 0), "wrong", "better")
    assert (mistake.line, mistake.column, mistake.excerpt) == (2, 1, 'layer { name: "l" }')
    assert source.mistake(("absent",), "wrong").line == 0


def test_a_file_is_read_with_or_without_byte_order_mark(tmp_path: Path) -> None:
    path = tmp_path / "net.prototxt"
    path.write_bytes(b"\xef\xbb\xbfname: 'x'")
    assert Source.read(path) == Source(str(path), "name: 'x'")


def test_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"name: 'x'")))
    assert Source.read("-") == Source("<stdin>", "name: 'x'")


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("a.h5", b"\x89HDF\r\n\x1a\n", "is an HDF5 file"),
        ("a.png", b"\x89PNG\r\n", "is an image"),
        ("a.caffemodel", b"\x0a\x03\x00\xff", "is a binary file of Caffe"),
        ("a.bin", b"\x00\x00", "is a binary file, but a prototxt"),
    ],
)
def test_files_that_are_no_texts(tmp_path: Path, name: str, data: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(UsageError, match=message):
        Source.read(tmp_path / name)


def test_files_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read: No such file"):
        Source.read(tmp_path / "absent")
    with pytest.raises(UsageError, match="cannot be read: Is a directory"):
        Source.read(tmp_path)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-be"])
def test_wide_encodings_are_named_with_their_mark_and_without(
    encoding: str, tmp_path: Path
) -> None:
    path = tmp_path / "net.prototxt"
    path.write_bytes('name: "Schicht"\r\nlayer { } # \u6570'.encode(encoding))
    named = encoding[:6].upper()
    with pytest.raises(UsageError, match=f"is a text in {named}; Caffe reads it as UTF-8"):
        Source.read(path)


def test_a_copy_and_other_layers_leave_a_definition_as_it_was() -> None:
    given = read_net(
        Source("net", 'name: "x" layer { name: "a" type: "T" } layer { name: "b" type: "T" }')
    )
    copied = given.copy()
    copied.net.layer[0].name = "changed"
    assert (copied.source, copied.origins) == (given.source, given.origins)
    added = LayerParameter(name="c")
    other = given.with_layers([added, given.net.layer[1]], [(), given.origins[1]])
    other.net.layer[1].name = added.name = "changed"
    assert [layer.name for layer in other.net.layer] == ["c", "changed"]
    assert (other.net.name, other.origins) == ("x", ((), ("layer", 1)))
    assert [layer.name for layer in given.net.layer] == ["a", "b"]
