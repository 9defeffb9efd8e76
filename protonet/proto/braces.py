"""Braces of a prototxt: nesting depth and unbalanced braces, checked before parsing."""

from __future__ import annotations

import re
from dataclasses import dataclass

_TOKEN = re.compile(
    r"""\#[^\n]*
    | "[^"\\\n]*(?:\\.[^"\\\n]*)*" | '[^'\\\n]*(?:\\.[^'\\\n]*)*'
    | ["'][^\n]*?(?=[ \t}>]*(?:\n|$))
    | [{}<>] | [A-Za-z_][A-Za-z0-9_]*""",
    re.VERBOSE,
)
_CLOSES = {"}": "{", ">": "<"}
_OPENS = {"{": "}", "<": ">"}
_LAYERS = ("layer", "layers")


@dataclass(frozen=True)
class Brace:
    """A brace at an offset of the text, and the name of its field."""

    offset: int
    text: str
    field: str = ""


@dataclass(frozen=True)
class Balance:
    """The result of ``balance``; ``text`` is the text with balanced braces: each character
    of the original keeps its line, and its column up to the first repair in that line.
    """

    unclosed: tuple[Brace, ...]
    stray: tuple[Brace, ...]
    text: str


def too_deep(text: str, limit: int) -> int | None:
    """The offset of the first brace nested in ``limit`` others; None if there is none."""
    now = 0
    for match in _TOKEN.finditer(text):
        if match[0] in _OPENS:
            now += 1
            if now > limit:
                return match.start()
        elif match[0] in _CLOSES:
            now -= 1
    return None


def balance(text: str) -> Balance:
    """Find unbalanced braces.

    A ``layer {`` inside another layer means that a closing brace is missing before it: the open
    braces are reported once, instead of a mistake for every later layer. Only V0 has a ``layer {``
    in each ``layers {``.
    """
    unclosed: list[Brace] = []
    stray: list[Brace] = []
    repairs: list[tuple[int, int, str]] = []
    stack: list[Brace] = []
    word, end = "", 0
    before_word = 0
    for match in _TOKEN.finditer(text):
        token, at = match[0], match.start()
        if token[0] == "#":
            continue
        if token in _OPENS:
            of_v0 = word == "layer" and [brace.field for brace in stack] == ["layers"]
            if not of_v0 and word in _LAYERS and any(brace.field in _LAYERS for brace in stack):
                unclosed += stack
                closers = "".join(_OPENS[brace.text] for brace in reversed(stack))
                repairs.append((before_word, before_word, closers))
                stack = []
            stack.append(Brace(at, token, word))
        elif token in _CLOSES:
            if stack and stack[-1].text == _CLOSES[token]:
                stack.pop()
            else:
                stray.append(Brace(at, token))
                repairs.append((at, at + 1, " "))
        else:
            word, before_word = token, end
        end = match.end() if token not in _OPENS else at + 1
        if token in _OPENS or token in _CLOSES:
            word = ""
    unclosed += stack
    repairs.append((len(text), len(text), "".join(_OPENS[brace.text] for brace in reversed(stack))))
    return Balance(tuple(unclosed), tuple(stray), _mend(text, repairs))


def _mend(text: str, repairs: list[tuple[int, int, str]]) -> str:
    parts, done = [], 0
    for start, stop, new in repairs:
        parts += [text[done:start], new]
        done = stop
    return "".join([*parts, text[done:]])
