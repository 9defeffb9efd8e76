#!/usr/bin/env bash
# NiceGUI 3.18.0, seen on Linux with CPython 3.11:
#
# A ui.number with min (or max) whose typed value is out of bounds is moved to the nearest bound when
# the field loses the focus. A rule of validation that had refused the value is content then, so what
# the user typed is replaced without a word; and the handler of a button reads the typed value or the
# bound, depending on which of the two events, click and blur, comes first.
#
# Fails when they behave otherwise.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet nicegui==3.18.0 httpx2==2.16.2
cd "$folder"
venv/bin/python - <<'PYTHON'
import asyncio
from importlib.metadata import version

from nicegui import ui
from nicegui.testing import user_simulation

RULE = "at least 16"


async def main():
    read = []
    async with user_simulation() as user:

        @ui.page("/")
        def page():
            width = ui.number(
                "Width", value=64, min=16, validation={RULE: lambda value: (value or 0) >= 16}
            )
            ui.button("Send", on_click=lambda: read.append(width.value))

        await user.open("/")
        found = user.find("Width")
        (width,) = found.elements
        found.clear()
        found.type("8")
        typed = width.value, width.error
        user.find("Send").click()
        found.trigger("blur")
        left = width.value, width.error
        user.find("Send").click()
    return typed, left, read


typed, left, read = asyncio.run(main())
print("NiceGUI", version("nicegui"))
print("value and error, as typed:", typed)
print("value and error, the field left:", left)
print("what a button reads before and after:", read)
assert typed == (8, RULE) and left == (16, None) and read == [8, 16]
PYTHON
