"""What takes longer than a page may: the page comes at once, and its content when it is there."""

from __future__ import annotations

import os
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

from tests.web.browser import free_port, wait_for

CODE = """
import asyncio, sys
from nicegui import ui
from protonet.errors import DataError
from protonet.web.page.deferred import filled_deferred

@ui.page("/")
def page() -> None:
    async def fill() -> None:
        ui.label("a beginning")
        await asyncio.sleep(4)
        ui.label("and an end")
    filled_deferred("Looking ...", fill)

@ui.page("/wrong")
def wrong() -> None:
    async def fill() -> None:
        raise DataError("db: is damaged")
    filled_deferred("Looking ...", fill)

ui.run(port=int(sys.argv[1]), show=False, reload=False)
"""


def answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(address, timeout=20):
            return True
    except OSError:
        return False


def test_a_page_does_not_wait_for_its_content(browser: Any, tmp_path: Path) -> None:
    port = free_port()
    (tmp_path / "app.py").write_text(CODE)
    process = subprocess.Popen(
        [sys.executable, "app.py", str(port)],
        cwd=tmp_path,
        # The framework looks for these, and then serves nothing.
        env={name: value for name, value in os.environ.items() if "PYTEST" not in name},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    address = f"http://127.0.0.1:{port}"
    try:
        wait_for(lambda: answers(f"{address}/wrong"), "the server")
        with urllib.request.urlopen(address, timeout=60) as answer:
            sent = answer.read()
        assert b"Looking ..." in sent
        assert b"and an end" not in sent
        page = browser.new_page()
        page.goto(address)
        page.get_by_text("Looking ...").wait_for()
        page.get_by_text("and an end").wait_for(timeout=20_000)
        assert page.get_by_text("Looking ...").count() == 0
        assert page.get_by_text("a beginning").count() == 1
        page.goto(f"{address}/wrong")
        page.get_by_text("db: is damaged").wait_for()
        page.get_by_text("Looking ...").wait_for(state="detached")
        page.close()
    finally:
        process.kill()
        process.wait()
