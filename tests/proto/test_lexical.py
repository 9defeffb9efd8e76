"""What protobuf's C++ parser reads otherwise than its Python parser does."""

from __future__ import annotations

import pytest

from protonet.errors import NetworkError
from protonet.proto.caffe_pb2 import NetParameter
from protonet.proto.lexical import as_python_reads, text_of, unescaped
from protonet.proto.text import Source, parse


def number(text: str) -> float:
    net = parse(Source("net", f"layer {{ loss_weight: {text} }}"), NetParameter)
    return net.layer[0].loss_weight[0]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("- 2", -2.0),
        ("-\n\t2.5", -2.5),
        ("- # a sign apart - from\n 3", -3.0),
        ("- inf", -float("inf")),
        ("1e-3f", float.fromhex("0x1.0624dep-10")),
        ("2.", 2.0),
        (".5", 0.5),
        ("1E+2", 100.0),
    ],
)
def test_numbers_that_cpp_reads(text: str, value: float) -> None:
    assert number(text) == value


@pytest.mark.parametrize(
    ("text", "value"), [("00", False), ("01", True), ("0x1", True), ("0", False), ("t", True)]
)
def test_bools_that_cpp_reads(text: str, value: bool) -> None:
    net = parse(Source("net", f"force_backward: {text} input_dim: 00"), NetParameter)
    assert (net.force_backward, list(net.input_dim)) == (value, [0])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("+2", "net:1:22: '+2' is not a number"),
        ("1_0", "net:1:22: '1_0' is not a number"),
        ("0b1", "net:1:22: '0b1' is not a number"),
        ("1_0.5", "net:1:22: '1_0.5' is not a number"),
        ("0o7", "net:1:22: '0o7' is not a number"),
    ],
)
def test_numbers_that_cpp_refuses(text: str, message: str) -> None:
    with pytest.raises(NetworkError) as caught:
        number(text)
    assert str(caught.value).splitlines()[0] == message
    assert len(caught.value.mistakes) == 1


def test_names_and_comments_that_look_like_numbers_stay() -> None:
    text = "# +2 1_0 - 3\nname: \"+2 1_0 0b1 - 4\" input: '1_0' # - 5"
    assert as_python_reads(text).text == text
    assert as_python_reads(text).refused == []


@pytest.mark.parametrize(
    ("literal", "data"),
    [
        (r'"\321\320\276"', b"\xd1\xd0\xbe"),
        (r"'\x41\x4\?\'\"\\'", b"A\x04?'\"\\"),
        (r'"\a\b\f\n\r\t\v\0"', b"\a\b\f\n\r\t\v\0"),
        (r'"\u00e9\U0001F600"', "é😀".encode()),
        ('"é"', "é".encode()),
    ],
)
def test_escapes_are_those_of_cpp(literal: str, data: bytes) -> None:
    assert unescaped(literal) == data


def test_strings_of_bytes_that_are_no_utf_8_are_read() -> None:
    net = parse(Source("net", r'name: "\321\320\276 \\ \"q\" \303\251"'), NetParameter)
    assert net.name == 'Ñ\N{CYRILLIC SMALL LETTER O} \\ "q" é'


def test_an_escape_that_cpp_does_not_know_is_a_mistake() -> None:
    with pytest.raises(NetworkError, match=r"net:1:10: '\\d' is no escape of a string"):
        parse(Source("net", r'name: "C:\data"'), NetParameter)


def test_bytes_that_are_no_utf_8_are_latin_1() -> None:
    assert text_of(b"\xef\xbb\xbf\xc3\xa9\xe9") == "éé"
