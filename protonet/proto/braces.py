"""Braces of a prototxt: depth, and the ones that never close, found before any grammar runs."""

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
    """A brace at an offset of the text, and the name of the field that it opens."""

    offset: int
    text: str
    field: str = ""


@dataclass(frozen=True)
class Balance:
    """What ``balance`` found; ``text`` is the text with the faults mended, where every
    character of the original keeps its line, and its column up to the mend.
    """

    unclosed: tuple[Brace, ...]
    stray: tuple[Brace, ...]
    text: str


def too_deep(text: str, limit: int) -> int | None:
    """The offset of the first brace inside ``limit`` others; None where there is none."""
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
    """Find braces that open or close nothing.

    A ``layer {`` inside another layer means that a brace above it is missing: what is open
    there is reported once, instead of every later layer being a mistake.
    """
    unclosed: list[Brace] = []
    stray: list[Brace] = []
    mends: list[tuple[int, int, str]] = []
    stack: list[Brace] = []
    word, end = "", 0
    before_word = 0
    for match in _TOKEN.finditer(text):
        token, at = match[0], match.start()
        if token[0] == "#":
            continue
        if token in _OPENS:
            if word in _LAYERS and any(brace.field in _LAYERS for brace in stack):
                unclosed += stack
                closers = "".join(_OPENS[brace.text] for brace in reversed(stack))
                mends.append((before_word, before_word, closers))
                stack = []
            stack.append(Brace(at, token, word))
        elif token in _CLOSES:
            if stack and stack[-1].text == _CLOSES[token]:
                stack.pop()
            else:
                stray.append(Brace(at, token))
                mends.append((at, at + 1, " "))
        else:
            word, before_word = token, end
        end = match.end() if token not in _OPENS else at + 1
        if token in _OPENS or token in _CLOSES:
            word = ""
    unclosed += stack
    mends.append((len(text), len(text), "".join(_OPENS[brace.text] for brace in reversed(stack))))
    return Balance(tuple(unclosed), tuple(stray), _mend(text, mends))


def _mend(text: str, mends: list[tuple[int, int, str]]) -> str:
    parts, done = [], 0
    for start, stop, new in mends:
        parts += [text[done:start], new]
        done = stop
    return "".join([*parts, text[done:]])
