"""The page and its API under load: fifty clients for a minute, with a training running.

The bars: no answer of 500 or above, 99 % of the requests within half a second, and memory that does
not grow with time.

Half of the clients are people, who open pages and keep each open for a while, as a browser does
with its socket; the others are scripts, which send one request of the API after the other. All of
them are tasks of this process; the server and the training are processes of their own.

    python benchmarks/page_load.py --clients 50 --seconds 60
"""

from __future__ import annotations

import argparse
import ast
import asyncio
import os
import platform
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import socketio

ROOT = Path(__file__).parents[1]
NET = (ROOT / "examples" / "prototxt" / "gradients" / "net.prototxt").read_text()


@dataclass
class Measured:
    """Seconds of the requests by kind, what went wrong, and the server's memory by time."""

    seconds: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    failures: int = 0
    wrong: list[str] = field(default_factory=list)
    memory: list[tuple[float, int]] = field(default_factory=list)
    processor: float = 0.0
    late: float = 0.0

    def all(self) -> list[float]:
        """The seconds of all requests."""
        return [each for kind in self.seconds.values() for each in kind]


@dataclass(frozen=True)
class Target:
    """A server at work: its address, and a data set, an ended and a running training in it."""

    address: str
    dataset: str
    ended: str
    running: str


def share(values: list[float], part: float) -> float:
    """The value that ``part`` of them do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))] if ordered else 0.0


class Client:
    """One client; ``rest`` are the seconds that it waits after each request, on average."""

    def __init__(self, target: Target, out: Measured, seed: int, rest: float) -> None:
        self.target = target
        self.out = out
        self.random = random.Random(seed)
        self.rest = rest

    async def work(self, until: float, acts: list[Any]) -> None:
        """Act until ``until``, each act as often as its weight says."""
        weights = [weight for weight, _ in acts]
        async with aiohttp.ClientSession(self.target.address) as self.session:
            await asyncio.sleep(self.random.uniform(0, 2))  # they do not all come at once
            while time.monotonic() < until:
                ((_, act),) = self.random.choices(acts, weights)
                try:
                    await act()
                except (aiohttp.ClientError, TimeoutError, OSError) as error:
                    self.out.wrong.append(f"{act.__name__}: {type(error).__name__}: {error}")
                if self.rest:
                    await asyncio.sleep(self.random.expovariate(1 / self.rest))

    async def ask(self, kind: str, path: str, body: Any = None) -> bytes:
        """A request; its time counts to ``kind``."""
        began = time.perf_counter()
        method = "GET" if body is None else "POST"
        async with self.session.request(method, path, json=body) as answer:
            data = await answer.read()
        self.out.seconds[kind].append(time.perf_counter() - began)
        self.out.failures += answer.status >= 500
        if answer.status >= 400:
            self.out.wrong.append(f"{kind}: {answer.status} {data[:200]!r}")
        return data

    # What scripts do.

    async def lists(self) -> None:
        """The lists of the API."""
        await self.ask("lists", self.random.choice(["/api/jobs", "/api/datasets", "/api/models"]))

    async def job(self) -> None:
        """One job."""
        name = self.random.choice([self.target.running, self.target.ended, self.target.dataset])
        await self.ask("job", f"/api/jobs/{name}")

    async def curves(self) -> None:
        """The curves of a training."""
        name = self.random.choice([self.target.running, self.target.ended])
        await self.ask("curves", f"/api/jobs/{name}/curves")

    async def images(self) -> None:
        """Images of the data set, and their mean."""
        path = f"/api/datasets/{self.target.dataset}"
        more = self.random.choice(["mean.png", f"samples?offset={self.random.randrange(60)}"])
        await self.ask("images", f"{path}/{more}")

    async def policy(self) -> None:
        """The curve of a learning rate."""
        await self.ask("policy", "/api/models/policy", {"lr_policy": "exp", "images": 5000})

    async def check(self) -> None:
        """The check of a pasted network."""
        form = {"network": NET, "dataset": self.target.dataset}
        await self.ask("check", "/api/models/check", form)

    async def predict(self) -> None:
        """A test of the trained net on one image."""
        form = aiohttp.FormData({"path": f"jobs/{self.target.dataset}/data/test.png"})
        began = time.perf_counter()
        async with self.session.post(f"/api/jobs/{self.target.ended}/test", data=form) as answer:
            await answer.read()
        self.out.seconds["predict"].append(time.perf_counter() - began)
        self.out.failures += answer.status >= 500
        if answer.status >= 400:
            self.out.wrong.append(f"predict: {answer.status}")

    async def events(self) -> None:
        """The stream of events: the time to its first, then some seconds of it."""
        began = time.perf_counter()
        async with self.session.get("/api/jobs/events") as answer:
            await answer.content.readline()
            self.out.seconds["events"].append(time.perf_counter() - began)
            with suppress(TimeoutError):
                await asyncio.wait_for(answer.content.read(), 2)

    # What people do.

    async def page(self) -> None:
        """A page: its HTML, its socket, and some seconds of looking at it."""
        dataset, running, ended = self.target.dataset, self.target.running, self.target.ended
        path = self.random.choice([
            "/", "/datasets", "/datasets/new", f"/datasets/{dataset}", "/models", "/models/new",
            "/jobs", f"/jobs/{running}", f"/jobs/{running}", f"/jobs/{ended}",
            f"/compare?jobs={running},{ended}",
        ])  # fmt: skip
        text = (await self.ask("page", path)).decode()
        found = re.search(r"query: (\{.*?\}),\n", text)
        if found is None:
            self.out.wrong.append(f"{path}: no page")
            return
        query = ast.literal_eval(found[1])
        query |= {"document_id": str(uuid.uuid4()), "tab_id": str(uuid.uuid4()), "old_tab_id": ""}
        query["implicit_handshake"] = "true"
        named = "&".join(f"{name}={value}" for name, value in query.items())
        socket = socketio.AsyncClient(reconnection=False)
        began, seen = time.perf_counter(), [0]

        async def hear(_: str, told: Any) -> None:
            seen[0] = told.get("_id", seen[0]) + 1

        socket.on("*", hear)
        try:
            await socket.connect(
                f"{self.target.address}?{named}",
                transports=["websocket"],
                socketio_path="/_nicegui_ws/socket.io",
                wait_timeout=20,
            )
            self.out.seconds["socket"].append(time.perf_counter() - began)
            for _ in range(self.random.randrange(1, 4)):  # as browsers do every three seconds
                await asyncio.sleep(self.random.uniform(1, 3))
                await socket.emit("ack", {"client_id": query["client_id"],
                                          "next_message_id": seen[0]})  # fmt: skip
        except socketio.exceptions.SocketIOError as error:
            self.out.wrong.append(f"socket of {path}: {error}")
        finally:
            await socket.disconnect()

    async def glance(self) -> None:
        """A page without its socket, as a tool fetches it."""
        await self.ask("page", self.random.choice(["/", "/jobs", "/models/new", "/datasets"]))


async def load(
    target: Target, out: Measured, clients: int, seconds: float, rest: float, pid: int
) -> None:
    """Let the clients work for some seconds; every fifth second the server's memory is read."""
    until = time.monotonic() + seconds
    tasks = []
    for number in range(clients):
        one = Client(target, out, number, rest)
        people = [(9, one.page), (1, one.glance)]
        scripts = [(4, one.lists), (4, one.job), (3, one.curves), (3, one.images), (2, one.policy),
                   (1, one.check), (1, one.predict), (1, one.events), (1, one.glance)]  # fmt: skip
        acts: list[Any] = people if number % 2 else scripts
        tasks.append(asyncio.create_task(one.work(until, acts)))
    watch = asyncio.create_task(_watch(out, pid))
    before = processor_time(pid)
    await asyncio.gather(*tasks)
    out.processor = processor_time(pid) - before
    watch.cancel()
    with suppress(asyncio.CancelledError):
        await watch


async def _watch(out: Measured, pid: int) -> None:
    began = time.monotonic()
    while True:
        out.memory.append((time.monotonic() - began, resident(pid)))
        asleep = time.monotonic()
        await asyncio.sleep(0.2)
        out.late = max(out.late, time.monotonic() - asleep - 0.2)


def resident(pid: int) -> int:
    """The memory of a process in bytes."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS"))


def processor_time(pid: int) -> float:
    """The processor time that a process has taken, in seconds."""
    parts = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(parts[11]) + int(parts[12])) / os.sysconf("SC_CLK_TCK")


def fill(folder: Path, jobs: int) -> None:
    """A workspace with many ended trainings, each with its metrics."""
    from protonet.web.store import DONE, TRAINING, Store
    from protonet.web.workspace import Workspace

    workspace = Workspace.open(folder)
    store = Store(workspace.database)
    with store.together():
        for number in range(jobs):
            settings = {"form": {"epochs": 3}}
            job = store.add(TRAINING, f"old {number}", status=DONE, settings=settings)
            workspace.job(job.id).mkdir()
    store.close()


@contextmanager
def served(folder: Path, port: int) -> Iterator[subprocess.Popen[str]]:
    """A server over a workspace."""
    command = [sys.executable, "-m", "protonet", "serve", str(folder), "--port", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        print(process.stdout.readline().strip())
        time.sleep(1)
        yield process
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60)


async def prepare(address: str) -> Target:
    """Make a data set, a training that ends, and one that goes on."""
    async with aiohttp.ClientSession(address) as session:

        async def ask(path: str, body: Any = None) -> Any:
            async with session.request("POST" if body else "GET", path, json=body) as answer:
                told = await answer.json()
                assert answer.status < 400, told
                return told

        async def ended(job: str) -> None:
            while (told := await ask(f"/api/jobs/{job}"))["status"] != "done":
                assert told["status"] != "error", told
                await asyncio.sleep(0.2)

        made = await ask("/api/datasets/gradients", {"count": 500, "width": 50, "height": 50})
        await ended(made["id"])
        form = {"name": "short", "network": NET, "dataset": made["id"], "epochs": 10}
        (short,) = await ask("/api/models", form)
        await ended(short["id"])
        # Snapshots some seconds apart, as trainings take them: an epoch is a twentieth of a second.
        form |= {"name": "long", "epochs": 1e5, "snapshot_every": 200}
        (long,) = await ask("/api/models", form)
        while (await ask(f"/api/jobs/{long['id']}"))["progress"]["iteration"] < 10:
            await asyncio.sleep(0.2)
    return Target(address, made["id"], short["id"], long["id"])


async def stop(target: Target) -> None:
    """Stop the training."""
    async with aiohttp.ClientSession(target.address) as session:
        await session.post(f"/api/jobs/{target.running}/stop")
        while True:
            async with session.get(f"/api/jobs/{target.running}") as answer:
                if (await answer.json())["status"] != "run":
                    return
            await asyncio.sleep(0.2)


def show(out: Measured, seconds: float) -> None:
    """Print the tables."""
    print("\n| kind | requests | median s | 99 % s | most s |\n|---|---|---|---|---|")
    for kind, values in [*sorted(out.seconds.items()), ("all", out.all())]:
        print(f"| {kind} | {len(values)} | {share(values, 0.5):.3f} | {share(values, 0.99):.3f} | "
              f"{max(values):.3f} |")  # fmt: skip
    print(f"\n{len(out.all()) / seconds:.0f} requests a second; {len(out.wrong)} went wrong")
    print(f"the server took {out.processor:.1f} s of a processor")
    own = os.times()
    print(f"the clients took {own.user + own.system:.1f} s, and were {out.late:.2f} s late at most")
    for each in sorted(set(out.wrong))[:20]:
        print(f"  {each}")
    told = [f"{size / 2**20:.0f}" for _, size in out.memory[:: max(1, len(out.memory) // 12)]]
    print(f"memory of the server in MiB: {', '.join(told)}")


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--rest", type=float, default=0.2, help="mean pause between requests")
    parser.add_argument("--jobs", type=int, default=200, help="ended trainings in the workspace")
    parser.add_argument("--port", type=int, default=8765)
    given = parser.parse_args()
    busy = os.getloadavg()[0]
    print(f"{platform.machine()}, {os.cpu_count()} cores, load {busy:.1f} before the test")
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made) / "work"
        fill(folder, given.jobs)
        with served(folder, given.port) as server:
            target = asyncio.run(prepare(f"http://127.0.0.1:{given.port}"))
            out = Measured()
            asyncio.run(load(target, out, given.clients, given.seconds, given.rest, server.pid))
            asyncio.run(stop(target))
    show(out, given.seconds)


if __name__ == "__main__":
    main()
