"""The editor of a network: mistakes are marked at their lines while typing."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from nicegui import background_tasks, ui

from protonet.errors import Mistake
from protonet.proto.language import is_lua

_PAUSE = 0.4
"""Seconds without typing until a text is checked."""


@dataclass(frozen=True)
class Checked:
    """The result of a check: mistakes, or a summary."""

    mistakes: Sequence[Mistake]
    verdict: str = ""


Check = Callable[[str], Awaitable[Checked | None]]


class NetworkEditor:
    """A CodeMirror editor for prototxt and Lua, with line numbers, marks and a list of mistakes
    below it.

    Args:
        text: the initial text.
        check: checks the text whenever typing pauses; returns None if superseded.
        on_checked: called with each result, in the context of the page.
    """

    def __init__(
        self, text: str, check: Check, on_checked: Callable[[Checked], None] | None = None
    ) -> None:
        self._check = check
        self._on_checked = on_checked
        self._typed = 0
        self.editor = ui.codemirror(
            text, language=language_of(text), theme="githubLight", line_wrapping=False,
            on_change=self._changed,
        ).classes("prototxt w-full")  # fmt: skip
        self.editor.props('role="group" aria-label="Network definition"')
        ui.label("Tab indents; Esc, then Tab, leaves the editor.").classes("quiet leaving")
        self._verdict = ui.row().classes("w-full items-start gap-1 mistakes")
        with self._verdict.props('role="status" aria-live="polite"'):
            pass
        if text.strip():
            ui.timer(0.1, self._look, once=True)

    @property
    def text(self) -> str:
        """The current text."""
        return self.editor.value or ""

    @text.setter
    def text(self, text: str) -> None:
        self.editor.value = text

    def check_again(self) -> None:
        """Check the unchanged text again, such as with another data set."""
        self._changed()

    def show(self, checked: Checked) -> None:
        """Mark the mistakes, and list them below the text."""
        text = self.text
        self.editor.decorations = decorations(text, checked.mistakes)
        tooltips: dict[int, str] = {}
        for mistake in checked.mistakes:
            if mistake.line:
                told = mistake.message + (f"\n{mistake.hint}" if mistake.hint else "")
                before = tooltips.get(mistake.line)
                tooltips[mistake.line] = told if before is None else f"{before}\n\n{told}"
        self.editor.line_tooltips = tooltips
        self._verdict.clear()
        with self._verdict:
            if not checked.mistakes:
                if checked.verdict:
                    ui.icon("check_circle", color="positive")
                    ui.label(checked.verdict).classes("verdict")
                return
            for mistake in checked.mistakes:
                self._list(mistake)

    def _list(self, mistake: Mistake) -> None:
        with ui.row().classes("mistake w-full no-wrap items-start gap-2"):
            place = f"{mistake.line}:{mistake.column}" if mistake.line else "net"
            button = ui.button(place).props("flat dense no-caps size=sm color=negative")
            if mistake.line:
                button.on_click(lambda line=mistake.line: self.editor.reveal_line(line))
                button.tooltip("Go to the line")
            with ui.column().classes("gap-0"):
                ui.label(mistake.message)
                if mistake.hint:
                    ui.label(mistake.hint).classes("hint")

    def _changed(self) -> None:
        self._typed += 1
        self.editor.language = language_of(self.text)
        background_tasks.create(self._look_when_quiet(self._typed))

    async def _look_when_quiet(self, typed: int) -> None:
        import asyncio

        await asyncio.sleep(_PAUSE)
        if typed == self._typed:
            await self._look()

    async def _look(self) -> None:
        typed, text = self._typed, self.text
        checked = Checked(()) if not text.strip() else await self._check(text)
        if typed != self._typed or self.editor.is_deleted or checked is None:
            return
        with self.editor.parent_slot or self._verdict:
            self.show(checked)
            if self._on_checked is not None:
                self._on_checked(checked)


def language_of(text: str) -> Literal["Lua", "ProtoBuf"]:
    """CodeMirror's name of the language of a text."""
    return "Lua" if is_lua(text) else "ProtoBuf"


def decorations(text: str, mistakes: Sequence[Mistake]) -> list[dict[str, Any]]:
    """CodeMirror's marks: the line of each mistake, and the word at its column."""
    starts = [0]
    for line in text.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    marks: list[dict[str, Any]] = []
    for mistake in mistakes:
        if not 0 < mistake.line < len(starts):
            continue
        marks.append({"kind": "line", "line": mistake.line, "class": "mistake-line"})
        begin = starts[mistake.line - 1] + max(0, mistake.column - 1)
        end = _end_of_word(text, begin, starts[mistake.line])
        if mistake.column and end > begin:
            marks.append({"kind": "mark", "from": begin, "to": end, "class": "mistake-word"})
    return marks


def _end_of_word(text: str, begin: int, end: int) -> int:
    """Where the name, number or string that begins at ``begin`` ends."""
    if begin >= end or text[begin] in "\r\n":
        return begin
    if text[begin] in "\"'":
        close = text.find(text[begin], begin + 1, end)
        return close + 1 if close >= 0 else begin + 1
    at = begin
    while at < end and (text[at].isalnum() or text[at] in "_.-"):
        at += 1
    return max(at, begin + 1)
