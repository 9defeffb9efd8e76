"""A real server and a real browser."""

from __future__ import annotations

import asyncio
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from PIL import Image

from protonet.web.process import is_alive, send_signal

T = TypeVar("T")
ROOT = Path(__file__).parents[2]

BROWSERS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


OPTIONS = (
    "[...document.querySelectorAll('.chart')]"
    ".map(e => getElement(Number(e.id.slice(1)))?.chart?.getOption()).filter(Boolean)"
)
"""What the charts of a page show, as JavaScript."""
SETTLED = """pause => new Promise(done => {
  const moves = () => document.querySelector(".q-spinner") || document.getAnimations().some(
    each => each.playState === "running" && each.effect.getComputedTiming().endTime < 1e5);
  const look = () => moves() ? wait() : done();
  let timer;
  const wait = () => { clearTimeout(timer); timer = setTimeout(look, pause); };
  new MutationObserver(wait).observe(document, {childList: true, subtree: true});
  wait();
})"""
"""Wait until nothing has changed for a while: what is filled in later is there."""


def awaited(call: Coroutine[Any, Any, T]) -> T:
    """What a coroutine comes to; on a thread, since the browser has a loop on this one."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, call).result()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def served(
    folder: Path, *options: str, port: int | None = None
) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """A server over a workspace: its address, and its process."""
    port = port or free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "protonet", "serve", str(folder), "--port", str(port), *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        assert address.startswith("http://"), address + process.stdout.read()
        wait_for(lambda: answers(f"http://127.0.0.1:{port}/api/jobs"), "the server")
        yield address, process
    finally:
        killed = process.poll() is not None
        end(process)
        assert process.stdout is not None
        process.stdout.close()
        if not killed:  # else the test wants to see how its jobs go on
            end_jobs(folder)


def end(process: subprocess.Popen[str]) -> None:
    """End a server as Ctrl-C does, with time to write down what of the code it ran."""
    process.send_signal(signal.SIGINT)
    try:
        process.wait(60)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def end_jobs(folder: Path) -> None:
    """Stop what a server has left running: nobody would, and a file that a process still writes
    cannot be read.
    """
    for job in (folder / "jobs").glob("*"):
        send_signal(job, signal.SIGINT)
    for job in (folder / "jobs").glob("*"):
        try:
            wait_for(lambda job=job: not is_alive(job), "its end")
        except AssertionError:
            send_signal(job, signal.SIGKILL)


def answers(address: str) -> bool:
    """Whether a server is there: one request that is given time, for those that are given up are
    answered all the same, and so add to what a server has to do first.
    """
    try:
        urllib.request.urlopen(address, timeout=60).close()
    except urllib.error.HTTPError as refusal:
        refusal.close()
        return True
    except OSError:
        return False
    return True


def wait_for(condition: Any, what: str, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"{what} did not come"
        time.sleep(0.05)


def browser_path() -> str | None:
    found = (shutil.which(name) for name in BROWSERS)
    return next((path for path in found if path), None)


class Walker:
    """A person at the page, who keeps an eye on what the browser complains of."""

    def __init__(self, browser: Any, address: str, pictures: Path, **options: Any) -> None:
        self.page = browser.new_page(viewport={"width": 1280, "height": 860}, **options)
        self.page.set_default_timeout(30_000)
        self.address = address.rstrip("/")
        self.pictures = pictures
        self.complaints: list[str] = []
        self.page.on("console", self._hear)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", self._see)

    def _hear(self, message: Any) -> None:
        if message.type == "error":
            self.complaints.append(message.text)

    def _see(self, request: Any) -> None:
        outside = not request.url.startswith((self.address, self.address.replace("http", "ws")))
        if outside and not request.url.startswith(("data:", "blob:")):
            self.complaints.append(f"outside: {request.url}")

    def goto(self, path: str) -> None:
        self.page.goto(self.address + path)

    def form(self, name: str) -> Any:
        """Choose one of the forms of a new data set; return it once it is there."""
        self.page.get_by_role("tab", name=name, exact=True).click()
        panel = self.page.get_by_role("tabpanel", name=name, exact=True)
        panel.get_by_role("button").last.wait_for()
        self.page.evaluate(SETTLED, 200)
        return panel

    def show(self, name: str, start: Any = None) -> None:
        """A picture of the step, from ``start`` on, of at most 2,000 lines and few colours."""
        self.page.evaluate("window.scrollTo(0, 0)")
        self.page.wait_for_timeout(400)
        path = self.pictures / f"page-{name}.png"
        self.page.screenshot(path=path, full_page=True)
        with Image.open(path) as taken:
            top = 0 if start is None else int(start.bounding_box()["y"])
            bottom = min(taken.height, top + 2000)
            shown = taken.convert("RGB").crop((0, top, taken.width, bottom))
        shown.quantize(128, dither=Image.Dither.NONE).save(path, optimize=True)

    def sees(self, text: str | re.Pattern[str], seconds: float = 30) -> None:
        """Wait for a text; where it does not come, the failure says what the page shows."""
        from playwright.sync_api import TimeoutError as Late

        try:
            self.page.get_by_text(text).first.wait_for(timeout=1000 * seconds)
        except Late:
            shown = self.page.locator("body").inner_text()
            raise AssertionError(f"{text!r} did not come at {self.page.url}:\n{shown}") from None
