"""The fast reader beside protobuf's parser, which is the judge."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from google.protobuf import text_format

from protonet.proto.caffe_pb2 import DESCRIPTOR, Datum, NetParameter, SolverParameter
from protonet.proto.lexical import as_python_reads, text_of
from protonet.proto.plain import parse_plain
from tests.fuzz.mutate import mutant
from tests.fuzz.seeds import texts

ROOT = Path(__file__).parents[2]
DEPTH = 100


def judged(text: str, kind: type[NetParameter | SolverParameter]) -> bytes | None:
    """What protobuf reads, as bytes, for a NaN is no NaN's equal; None if it refuses the text."""
    reading = as_python_reads(text)
    try:
        assert not reading.refused
        made = text_format.Parse(reading.text, kind())
    except (AssertionError, text_format.ParseError, ValueError):
        return None
    return bytes(made.SerializeToString(deterministic=True))


def read(text: str, kind: type[NetParameter | SolverParameter]) -> bytes | None:
    made = parse_plain(text, kind, DEPTH)
    return None if made is None else made.SerializeToString(deterministic=True)


def test_the_examples_are_plain() -> None:
    paths = sorted((ROOT / "examples").rglob("*.prototxt"))
    assert len(paths) > 20
    for path in paths:
        kind = SolverParameter if "solver" in path.name else NetParameter
        found = read(path.read_text(), kind)
        assert found is not None, path
        assert found == judged(path.read_text(), kind), path


def test_changed_texts_are_read_as_protobuf_does_or_left_to_it() -> None:
    seeds = texts()
    plain = 0
    for number in range(3000):
        text = text_of(mutant(seeds, number, text=True))
        found = read(text, NetParameter)
        assert found is None or found == judged(text, NetParameter), f"mutant {number}"
        plain += found is not None
    assert 1000 < plain < 2500


PLAIN = (
    "",
    "  # nothing but this",
    'name: "a" # of the net\r\n# and so on\n force_backward: true',
    "name: 'a'\tdebug_info:false",
    "layer{name:'d'top:'x' }".replace("'t", "' t"),
    "layer: { phase: TEST relu_param { } } layer { }",
    "layer { loss_weight: 1 loss_weight: -0 loss_weight: .5 loss_weight: 2. loss_weight: -1.5E+3 }",
    "layer { loss_weight: 1e39 loss_weight: 3.14159265358979 loss_weight: 123456789012345678901 }",
    "input_dim: -2147483648 input_dim: 0",
    "input_shape { dim: 9223372036854775807 }",
    'name: "{ # \u00e4 }"',
)
LEFT = (
    'name: "a\\n"',
    'name: "a" "b"',
    'name: "a""b"',
    'name: "a"; name: "b"',
    'name: "a" name: "b"',
    'name: "a',
    "name: a",
    "name: 1",
    "input_dim: [1, 2]",
    "input_dim: 010",
    "input_dim: 0x10",
    "input_dim: +1",
    "input_dim: - 1",
    "input_dim: 1.0",
    "input_dim: 2147483648",
    "input_dim 1",
    "input_dim: 1,",
    "layer < name: 'a' >",
    "layer { loss_weight: 1f }",
    "layer { loss_weight: inf }",
    "layer { loss_weight: 1_0 }",
    "layer { loss_weight: 1.5.2 }",
    "layer { phase: 1 }",
    "layer { phase: NEVER }",
    "layer { name: 'a' ",
    "layer { } }",
    "layer: 1",
    "name { }",
    "debug_info: 1",
    "unknown: 1",
    "state { } state { }",
    "input_dim: 1\u00a0",
    "layer { " * (DEPTH + 1) + "}" * (DEPTH + 1),
)


@pytest.mark.parametrize("text", PLAIN)
def test_plain_texts(text: str) -> None:
    found = read(text, NetParameter)
    assert found is not None
    assert found == judged(text, NetParameter)


@pytest.mark.parametrize("text", LEFT)
def test_what_is_left_to_protobuf(text: str) -> None:
    assert read(text, NetParameter) is None


def test_bytes_are_left_to_protobuf() -> None:
    """Their text has escapes, most of the time."""
    fields = Datum.DESCRIPTOR.fields_by_name
    assert fields["data"].type == fields["data"].TYPE_BYTES
    assert parse_plain('data: "a"', Datum, DEPTH) is None
    assert parse_plain("label: 3", Datum, DEPTH) == Datum(label=3)


def test_the_schema_has_no_fields_of_other_kinds() -> None:
    """Of a oneof the last field would win, and a map is no list."""
    for message in DESCRIPTOR.message_types_by_name.values():
        assert not message.oneofs
        assert not message.GetOptions().map_entry
        assert not message.is_extendable


def test_a_long_text_is_left_to_protobuf() -> None:
    layer = 'layer { name: "a" type: "ReLU" }\n'
    assert parse_plain(layer * 7_000, NetParameter, DEPTH) is not None
    assert parse_plain(layer * 9_000, NetParameter, DEPTH) is None


@pytest.mark.parametrize("piece", ["# a ", "#", " ", "layer { ", "'", '"', "name", "1.", "{", "a:"])
def test_no_text_takes_long(piece: str) -> None:
    began = time.process_time()
    parse_plain(piece * 20_000, NetParameter, DEPTH)
    parse_plain("layer { " + piece * 20_000 + "\n@", NetParameter, DEPTH)
    assert time.process_time() - began < 1
