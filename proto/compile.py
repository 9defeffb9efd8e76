"""Compile Caffe's schema, ``caffe.proto`` here, into a folder: ``caffe.binpb``, which
``protonet.proto.caffe_pb2`` reads, and the types of that module, ``caffe_pb2.pyi``.

``python proto/compile.py FOLDER``
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from google.protobuf.descriptor_pb2 import DescriptorProto, FileDescriptorSet


def compile_schema(folder: Path) -> None:
    """Write both files, with the protoc of this Python's environment."""
    protoc, source = Path(sys.executable).with_name("protoc"), Path(__file__).parent
    made = folder / "caffe.binpb"
    command = [protoc, f"-I{source}", f"--pyi_out={folder}", f"--descriptor_set_out={made}"]
    subprocess.run([*command, "caffe.proto"], check=True)
    (schema,) = FileDescriptorSet.FromString(made.read_bytes()).file
    _without_json(schema.message_type)
    made.write_bytes(schema.SerializeToString(deterministic=True))


def _without_json(messages: Iterable[DescriptorProto]) -> None:
    """Drop the names of fields in JSON, which follow from the others."""
    for message in messages:
        for field in message.field:
            field.ClearField("json_name")
        _without_json(message.nested_type)


if __name__ == "__main__":
    compile_schema(Path(sys.argv[1]))
