"""The compiled schema against the facts, and against its source."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from google.protobuf.descriptor import EnumDescriptor, FieldDescriptor

from protonet.proto import caffe_pb2

ROOT = Path(__file__).parents[2]
TABLES = ROOT / "tests" / "golden"
TYPES = {
    FieldDescriptor.TYPE_INT32: "int32",
    FieldDescriptor.TYPE_INT64: "int64",
    FieldDescriptor.TYPE_UINT32: "uint32",
    FieldDescriptor.TYPE_FLOAT: "float",
    FieldDescriptor.TYPE_DOUBLE: "double",
    FieldDescriptor.TYPE_BOOL: "bool",
    FieldDescriptor.TYPE_STRING: "string",
    FieldDescriptor.TYPE_BYTES: "bytes",
}


def rows(name: str) -> list[list[str]]:
    lines = (TABLES / name).read_text().splitlines()
    return [(line + "\t" * 6).split("\t") for line in lines if line and not line.startswith("#")]


def owner(name: str) -> object:
    """The message or enum of a dotted name."""
    first, *rest = name.split(".")
    found = caffe_pb2.DESCRIPTOR.message_types_by_name.get(first)
    if found is None:
        return caffe_pb2.DESCRIPTOR.enum_types_by_name[first]
    for part in rest:
        found = found.nested_types_by_name.get(part) or found.enum_types_by_name[part]
    return found


def described(field: FieldDescriptor) -> tuple[int, str, str, str]:
    """Number, label, type and default as the table writes them."""
    kind = TYPES.get(field.type)
    if field.message_type is not None:
        kind = field.message_type.full_name.removeprefix("caffe.")
    elif field.enum_type is not None:
        kind = field.enum_type.full_name.removeprefix("caffe.")
    label = "repeated" if field.is_repeated else "required" if field.is_required else "optional"
    default = ""
    if field.has_default_value:
        value = field.default_value
        if field.enum_type is not None:
            default = field.enum_type.values_by_number[value].name
        else:
            default = str(value).lower() if isinstance(value, bool) else str(value)
    if field.is_packed:
        default = " [packed]"
    assert kind is not None
    return field.number, label, kind, default


def same_default(found: str, expected: str) -> bool:
    try:
        return abs(float(found) - float(expected)) <= 1e-6 * abs(float(expected))
    except ValueError:
        return found.strip() == expected.strip()


def test_every_row_of_caffe_is_there_with_number_type_and_default() -> None:
    table = rows("caffe-schema.tsv")
    assert len(table) > 500
    for kind, message, name, number, label, type_name, default, *_ in table:
        if kind == "enum":
            enum = owner(message)
            assert isinstance(enum, EnumDescriptor)
            assert enum.values_by_name[name].number == int(number), (message, name)
            continue
        field = owner(message).fields_by_name[name]
        found = described(field)
        assert found[:3] == (int(number), label, type_name), (message, name)
        assert same_default(found[3], default), (message, name, found[3], default)


def test_nvidias_fields_are_there_under_their_number_unless_caffe_uses_it() -> None:
    caffe = {(row[1], row[2]) for row in rows("caffe-schema.tsv") if row[0] == "field"}
    taken = {(row[1], int(row[3])) for row in rows("caffe-schema.tsv") if row[0] == "field"}
    moved = 0
    for kind, message, name, number, *_ in rows("nvcaffe-schema-differences.tsv"):
        if kind == "enum":
            assert owner(message).values_by_name[name].number == int(number)
        elif (message, name) not in caffe:
            found = owner(message).fields_by_name[name].number
            if (message, int(number)) in taken:
                moved += 1
                assert found >= 7001, (message, name)
            else:
                assert found == int(number), (message, name)
    assert moved == 6


def test_fields_of_other_public_models() -> None:
    net = caffe_pb2.NetParameter()
    layer = net.layer.add()
    layer.pooling_param.ceil_mode = False
    layer.interp_param.zoom_factor = 8
    layer.shuffle_channel_param.group = 3
    layer.upsample_param.scale = 2
    layer.roi_pooling_param.pooled_h = 7
    assert caffe_pb2.NetParameter.FromString(net.SerializeToString()) == net


def test_the_compiled_schema_is_what_protoc_31_makes(tmp_path: Path) -> None:
    protoc = Path(sys.executable).with_name("protoc")
    version = subprocess.run([protoc, "--version"], capture_output=True, text=True, check=True)
    assert version.stdout.strip() == "libprotoc 31.1"
    subprocess.run([sys.executable, ROOT / "proto" / "compile.py", tmp_path], check=True)
    for name in ("caffe.binpb", "caffe_pb2.pyi"):
        checked_in = (ROOT / "protonet" / "proto" / name).read_bytes()
        assert (tmp_path / name).read_bytes() == checked_in, "run make proto"


def test_protobuf_in_plain_python_has_the_messages() -> None:
    told = "from protonet.proto.caffe_pb2 import *; layer = NetParameter().layer.add(); "
    told += "layer.bottom.append('x'); print(layer, layer.convolution_param.group, TEST)"
    environment = {**os.environ, "PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION": "python"}
    command = [sys.executable, "-W", "ignore", "-c", told]
    done = subprocess.run(
        command, env=environment, cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["bottom:", '"x"', "1", "1"]


def test_every_message_and_enum_is_in_the_module() -> None:
    found: dict[str, object] = {}
    exec("from protonet.proto.caffe_pb2 import *", found)
    assert found["TEST"] == caffe_pb2.Phase.Value("TEST") == 1
    assert found["SolverParameter"] is caffe_pb2.SolverParameter
    assert set(dir(caffe_pb2)) <= found.keys()
    assert {"NetParameter", "Datum", "Phase", "TRAIN"} <= found.keys()
    with pytest.raises(ImportError, match="cannot import name 'NetParam'"):
        exec("from protonet.proto.caffe_pb2 import NetParam")
