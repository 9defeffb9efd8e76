"""A prototxt as a syntax tree with positions, and its syntax errors."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lark import Lark, Token, Tree

Place = tuple[int, int]
"""Line and column, both from 1."""


@dataclass(frozen=True)
class Scalar:
    """A value as written: ``kind`` is STRING, NUMBER or NAME; a minus sign is part of ``text``."""

    kind: str
    text: str
    place: Place


@dataclass(frozen=True)
class Entry:
    """``name: value`` or ``name { ... }``: exactly one of ``value`` and ``children`` is given.

    A list ``name: [a, b]`` becomes an entry for each element, with ``in_list`` set.
    """

    name: str
    place: Place
    value: Scalar | None = None
    children: tuple[Entry, ...] | None = None
    in_list: bool = False


@dataclass
class Syntax:
    """The entries of a text, and what the grammar could not read as (place, message, hint)."""

    entries: tuple[Entry, ...] = ()
    faults: list[tuple[Place, str, str]] = field(default_factory=list)


def parse_tree(text: str) -> Syntax:
    """Read a text whose braces match; go on behind each fault."""
    from lark import UnexpectedInput

    syntax = Syntax()
    try:
        tree = _parser().parse(text, on_error=lambda error: _recover(error, text, syntax))
    except UnexpectedInput:
        return syntax  # too many faults, or one that cannot be passed: they are noted
    syntax.entries = tuple(_entries(tree.children))
    return syntax


@cache
def _parser() -> Lark:
    from importlib import resources  # both take long to import

    from lark import Lark

    grammar = resources.files("protonet.proto").joinpath("grammar.lark").read_text()
    return Lark(grammar, parser="lalr", lexer="basic", maybe_placeholders=False)


UNCLOSED_STRING = re.compile(r"""["'][^\n]*?(?=[ \t}>]*(?:\n|$))""")
"""A string without its closing quote: to the end of the line, but for braces that end it."""

_WORD = re.compile(r"[+0-9.][A-Za-z0-9_.+-]*")
_VALUES = {"STRING", "NUMBER", "NAME"}
_MOST_FAULTS = 100


def _recover(error: Any, text: str, syntax: Syntax) -> bool:
    """Note one fault and say whether the parser can go on behind it."""
    from lark import UnexpectedCharacters

    if len(syntax.faults) >= _MOST_FAULTS:
        return False
    if isinstance(error, UnexpectedCharacters):
        message = _skip_characters(error, text)
    elif error.token.type == "$END":
        syntax.faults.append((_end_of(text), "the text ends in the middle of a field", ""))
        return _close(error.interactive_parser)
    else:
        message = _skip_token(error)
    syntax.faults.append(((error.line, error.column), message, ""))
    return True


def _skip_characters(error: Any, text: str) -> str:
    """Skip characters that form no token; returns the message."""
    from lark import Token

    at = error.pos_in_stream
    rest = text[at:]
    if rest[0] in "\"'":
        message = "this string has no closing quote on its line"
        junk = UNCLOSED_STRING.match(rest)
    else:
        junk = _WORD.match(rest)
        message = f"unexpected character {rest[0]!r}"
        if junk is not None:
            message = f"'{junk[0]}' is not a number"
    skipped = junk[0] if junk is not None else rest[0]
    parser = error.interactive_parser
    parser.lexer_thread.state.line_ctr.feed(Token("JUNK", skipped))
    if junk is not None:
        _feed_dummy(parser)
    return message


def _skip_token(error: Any) -> str:
    """Skip an unexpected token; returns the message."""
    from lark import Token

    token, parser = error.token, error.interactive_parser
    expected = parser.accepts()
    if "COLON" in expected and token.type in _VALUES:
        message = f"expected ':' or '{{' after '{_last_name(parser)}'"
        parser.feed_token(Token("COLON", ":"))
        if token.type in parser.accepts():
            parser.feed_token(token)
        return message
    if "NUMBER" in expected and "STRING" in expected:
        message = f"expected a value after '{_last_name(parser)}:'"
        if token.type == "RSQB":
            message = "expected a value before ']'"
        _feed_dummy(parser)
        if token.type in parser.accepts():
            parser.feed_token(token)
        return message
    return f"unexpected '{token}'"


def _feed_dummy(parser: Any) -> None:
    """Complete an incomplete field with a dummy value."""
    from lark import Token

    if "COLON" in parser.accepts():
        parser.feed_token(Token("COLON", ":"))
    if "NUMBER" in parser.accepts():
        parser.feed_token(Token("NUMBER", _DUMMY, line=0, column=0))


_DUMMY = "?"
"""The text of a dummy value, in place of one that could not be parsed."""


def is_dummy(value: Scalar) -> bool:
    """Whether a value is a dummy, whose mistake is already reported."""
    return value.text == _DUMMY


def _close(parser: Any) -> bool:
    """Close everything that is open at the end of the text."""
    from lark import Token

    for _ in range(200):
        expected = parser.accepts()
        if "$END" in expected:
            return True
        for kind, text in (
            ("RBRACE", "}"),
            ("MORETHAN", ">"),
            ("RSQB", "]"),
            ("NUMBER", _DUMMY),
            ("COLON", ":"),
        ):
            if kind in expected:
                parser.feed_token(Token(kind, text, line=0, column=0))
                break
        else:
            return False
    return False


def _last_name(parser: Any) -> str:
    """The last field name that the parser has read."""
    for value in reversed(parser.parser_state.value_stack):
        if getattr(value, "type", None) == "NAME":
            return str(value)
    return ""


def _end_of(text: str) -> Place:
    body = text.rstrip()
    return body.count("\n") + 1, len(body) - (body.rfind("\n") + 1) + 1


def _entries(children: Sequence[Any]) -> Iterator[Entry]:
    """The parse tree as entries."""
    for tree in children:
        name: Token = tree.children[0]
        place = (name.line or 0, name.column or 0)
        body: Tree[Any] = tree.children[1]
        if tree.data == "scalar":
            yield Entry(str(name), place, value=_scalar(body))
        elif tree.data == "message_field":
            yield Entry(str(name), place, children=tuple(_entries(body.children)))
        else:
            for element in body.children:
                if element.data == "message":
                    inner = tuple(_entries(element.children))
                    yield Entry(str(name), place, children=inner, in_list=True)
                else:
                    yield Entry(str(name), place, value=_scalar(element), in_list=True)


def _scalar(tree: Tree[Any]) -> Scalar:
    """A value node; adjacent strings are concatenated."""
    tokens: list[Any] = tree.children
    first = tokens[0]
    kind = tokens[-1].type
    text = "".join(str(token) for token in tokens)
    return Scalar(kind, text, (first.line or 0, first.column or 0))


def find(entries: Sequence[Entry], path: Sequence[str | int]) -> Place | None:
    """The position of the longest prefix of ``path`` that exists; None if there is none."""
    place: Place | None = None
    names = list(path)
    while names:
        name = names.pop(0)
        index = names.pop(0) if names and isinstance(names[0], int) else 0
        same = [entry for entry in entries if entry.name == name]
        if not isinstance(index, int) or index >= len(same):
            return place
        entry = same[index]
        place = entry.place if entry.value is None else entry.value.place
        entries = entry.children or ()
    return place
