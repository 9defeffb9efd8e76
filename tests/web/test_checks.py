"""Checks in processes of their own: slow, stopped, killed, too large, many at once, and left."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import time
import urllib.error
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from protonet.errors import NetworkError
from protonet.web import checks as module
from protonet.web.checks import BusyError, CheckError, Checks, SupersededError
from protonet.web.datasets import Databases
from protonet.web.networks import CheckOptions, draw, inspect_network
from protonet.web.workspace import Workspace
from tests.web.browser import awaited, end, served, wait_for
from tests.web.conftest import NET, Served

SLOW = "".join(
    f'layer {{ name: "a{i}" type: "ReLU" bottom: "x{i}" top: "a{i}" }}\n' for i in range(14_000)
)
"""Each bottom is unknown, and the nearest of all names is searched for: minutes."""
LARGE = 'layer { type: "ReLU" name: "a" bottom: "data" top: "data" }' * 15_000


def checkers(parent: int) -> list[int]:
    """The processes that look at networks for a server."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            above = int((place / "stat").read_text().rpartition(")")[2].split()[1])
            command = (place / "cmdline").read_bytes()
        except (OSError, ValueError):
            continue
        if above == parent and b"protonet.web.checker" in command:
            found.append(int(place.name))
    return sorted(found)


def is_there(pid: int) -> bool:
    """Whether a process is there, if only as a zombie."""
    return Path(f"/proc/{pid}").exists()


@pytest.fixture
def checks() -> Iterator[Checks]:
    made = Checks()
    yield made
    made.close()
    assert checkers(os.getpid()) == []


@pytest.fixture
def single() -> Iterator[Checks]:
    """With one process, warm."""
    made = Checks(1)
    made.warm(Workspace(Path("/nowhere")))
    yield made
    made.close()


def limited(workspace: Workspace, **limits: Any) -> Workspace:
    return replace(workspace, limits=replace(workspace.limits, **limits))


def ready(checks: Checks, workspace: Workspace) -> int:
    """The one process, once it has answered."""
    awaited(checks.inspect_network(NET, workspace))
    (pid,) = checkers(os.getpid())
    return pid


def test_what_is_found_is_what_a_look_here_finds(
    checks: Checks, workspace: Workspace, gradients: Path
) -> None:
    data = Databases.of_folder(gradients)
    wrong = NET.replace("Power", "Powr")
    ignored = "reduce_buckets: 3\n" + NET
    for text, databases, size in ((NET, None, None), (NET, data, 5), (wrong, data, None),
                                  ("layer {", None, None), (ignored, data, 4)):  # fmt: skip
        options = CheckOptions(batch_size=size)
        found = awaited(checks.inspect_network(text, workspace, databases, options))
        assert found == inspect_network(text, workspace, databases, options)
    assert awaited(checks.draw(NET, workspace)) == draw(NET, workspace)
    with pytest.raises(NetworkError) as here:
        draw("layer {", workspace)
    with pytest.raises(NetworkError) as there:
        awaited(checks.draw("layer {", workspace))
    assert there.value.mistakes == here.value.mistakes


def test_a_text_that_takes_for_ever(checks: Checks, workspace: Workspace) -> None:
    hasty = limited(workspace, check_seconds=1.0)
    with pytest.raises(CheckError, match="took longer than the 1 s that this server allows"):
        awaited(checks.inspect_network(SLOW, hasty))
    assert awaited(checks.inspect_network(NET, hasty)).mistakes == ()


def test_lua_in_a_process_of_the_process(checks: Checks, workspace: Workspace) -> None:
    """Its mistakes, endless loops and wants of memory have their line."""
    for text, told, seconds in (
        ("local net = nn.Sequential()\nnet:add(nn.Liner(3, 2))\nreturn net", "mean 'Linear'", 60),
        ("local x = 1\nwhile true do x = x + 1 end", "runs for more than 3 seconds", 5),
        ("local t = {}\nwhile true do t[#t + 1] = ('x'):rep(2^27) .. #t end", "not enough", 60),
        ("local t = nil\nlocal u = torch.ones(2^30):sum()", "not enough memory for", 60),
    ):
        patient = limited(workspace, check_seconds=float(seconds))
        (mistake,) = awaited(checks.inspect_network(text, patient)).mistakes
        assert told in mistake.message
        assert mistake.line == 2
    report = awaited(checks.inspect_network("return nn.Linear(3, 2)", workspace))
    assert report.mistakes == ()


def test_others_are_answered_while_one_overstays(checks: Checks, workspace: Workspace) -> None:
    """The stopped process neither reads a long text nor answers; no zombie stays of it."""
    patient = limited(workspace, check_seconds=3.0)
    pid = ready(checks, workspace)
    os.kill(pid, signal.SIGSTOP)

    async def both() -> int:
        stopped = asyncio.create_task(checks.inspect_network(NET + "#" * 900_000, patient))
        await asyncio.sleep(0.2)
        answered = 0
        while answered < 5 and not stopped.done():
            assert (await checks.inspect_network(NET, workspace)).mistakes == ()
            answered += 1
        with pytest.raises(CheckError, match="took longer than the 3 s"):
            await stopped
        return answered

    assert awaited(both()) > 1
    wait_for(lambda: not is_there(pid), "the end of the process")
    wait_for(lambda: len(checkers(os.getpid())) == 2, "another process")


def test_a_process_that_is_killed(single: Checks, workspace: Workspace) -> None:
    pid = ready(single, workspace)
    os.kill(pid, signal.SIGSTOP)

    async def killed() -> None:
        asked = asyncio.create_task(single.inspect_network(NET, workspace))
        await asyncio.sleep(0.3)
        os.kill(pid, signal.SIGKILL)
        await asked

    with pytest.raises(CheckError, match="ended \\(SIGKILL\\), perhaps for lack of memory"):
        awaited(killed())
    other = ready(single, workspace)
    assert other != pid
    os.kill(other, signal.SIGKILL)  # while it has nothing to do
    wait_for(lambda: not is_there(other), "the end of the process")
    assert awaited(single.inspect_network(NET, workspace)).mistakes == ()


def test_the_memory_of_a_check(workspace: Workspace) -> None:
    """The protobuf library does not survive a want of memory, which is told of as well."""
    for size, told in ((8, r"more memory than the 8\.0 MiB"), (32, "memory")):
        small = limited(workspace, check_memory=size << 20, check_seconds=60.0)
        checks = Checks(1)
        try:
            with pytest.raises(CheckError, match=told):
                awaited(checks.inspect_network(LARGE, small))
            assert awaited(checks.inspect_network(NET, small)).mistakes == ()
        finally:
            checks.close()


def test_a_newer_text_takes_the_place_of_an_older(single: Checks, workspace: Workspace) -> None:
    """What one person types does not pile up: one text is checked, and one waits."""
    pid = ready(single, workspace)
    os.kill(pid, signal.SIGSTOP)

    async def typing() -> list[Any]:
        asked = []
        for number in range(20):
            text = NET.replace("hidden", f"hidden{number}")
            asked.append(asyncio.create_task(single.inspect_network(text, workspace, session="me")))
            await asyncio.sleep(0.2 if not number else 0.01)
        asked.append(asyncio.create_task(single.inspect_network(NET, workspace, session="you")))
        await asyncio.sleep(0.1)
        os.kill(pid, signal.SIGCONT)
        return await asyncio.gather(*asked, return_exceptions=True)

    *mine, yours = awaited(typing())
    assert yours.rows[1].name == "hidden"
    assert (mine[0].rows[1].name, mine[-1].rows[1].name) == ("hidden0", "hidden19")
    assert {type(each) for each in mine[1:-1]} == {SupersededError}


def test_no_more_wait_than_may(
    single: Checks, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_WAITING", 3)
    pid = ready(single, workspace)
    os.kill(pid, signal.SIGSTOP)

    async def crowd() -> list[Any]:
        first = asyncio.create_task(single.inspect_network(NET, workspace))
        await asyncio.sleep(0.2)
        rest = [asyncio.create_task(single.inspect_network(NET, workspace)) for _ in range(5)]
        await asyncio.sleep(0.1)
        os.kill(pid, signal.SIGCONT)
        return await asyncio.gather(first, *rest, return_exceptions=True)

    told = awaited(crowd())
    assert [isinstance(each, BusyError) for each in told] == [False] * 4 + [True] * 2
    assert "3 networks wait" in str(told[-1])


def test_an_end_while_a_check_runs(workspace: Workspace) -> None:
    checks = Checks(1)
    os.kill(ready(checks, workspace), signal.SIGSTOP)

    async def ended() -> list[Any]:
        asked = [asyncio.create_task(checks.inspect_network(NET, workspace)) for _ in range(2)]
        await asyncio.sleep(0.2)
        await asyncio.to_thread(checks.close)
        return await asyncio.gather(*asked, return_exceptions=True)

    first, second = awaited(ended())
    assert isinstance(first, CheckError)
    assert isinstance(second, BusyError)
    assert checkers(os.getpid()) == []
    with pytest.raises(BusyError, match="the server ends"):
        awaited(checks.inspect_network(NET, workspace))


def refusal(site: Served, path: str, body: Any) -> tuple[int, str]:
    with pytest.raises(urllib.error.HTTPError) as caught:
        site.call(path, body)
    with caught.value as answer:
        return answer.code, json.loads(answer.read())["error"]


def log_of(process: subprocess.Popen[str]) -> str:
    """What an ended server has said since its address."""
    assert process.stdout is not None
    return process.stdout.read()


def test_a_server_answers_all_others(tmp_path: Path) -> None:
    """Slow texts from many at once: each is told so, nobody else waits, nothing is left."""
    with served(tmp_path / "work") as (address, process):
        site = Served(address.rstrip("/"), tmp_path / "work")
        check = "/api/models/check"
        assert site.call(check, {"network": NET})["mistakes"] == []
        with ThreadPoolExecutor(60) as crowd:
            slow = [crowd.submit(refusal, site, check, {"network": SLOW}) for _ in range(3)]
            slow += [crowd.submit(refusal, site, "/api/models/draw", {"network": "layer {"})]
            time.sleep(0.5)
            answered = 0
            while answered < 20 and not any(each.done() for each in slow[:3]):
                assert site.call("/api/jobs") == []
                answered += 1
            assert answered > 1, "others do not wait until a slow text is given up"
            told = [each.result(60) for each in slow]
            for status, error in told[:3]:
                assert status == 422
                assert error.startswith("checking this network took longer than the 5 s")
            assert told[3][0] == 422
            assert "net.prototxt:1" in told[3][1]
            quick = [crowd.submit(site.call, check, {"network": NET}) for _ in range(50)]
            assert all(each.result(60)["mistakes"] == [] for each in quick)
        left = checkers(process.pid)
        assert len(left) == 2
        os.kill(left[0], signal.SIGSTOP)
        end(process)
        assert log_of(process) == ""
        wait_for(lambda: not any(map(is_there, left)), "the end of the processes")


def test_a_server_that_ends_while_it_checks(tmp_path: Path) -> None:
    with served(tmp_path / "work") as (address, process):
        site = Served(address.rstrip("/"), tmp_path / "work")
        site.call("/api/models/check", {"network": NET})
        left = checkers(process.pid)
        with ThreadPoolExecutor(1) as thread:
            thread.submit(site.call, "/api/models/check", {"network": SLOW})
            time.sleep(1)
            end(process)
        assert process.returncode == 0
        assert "Traceback" not in log_of(process)
        wait_for(lambda: not any(map(is_there, left)), "the end of the processes")


def test_a_server_that_is_killed_leaves_no_process(tmp_path: Path) -> None:
    with served(tmp_path / "work") as (address, process):
        site = Served(address.rstrip("/"), tmp_path / "work")
        site.call("/api/models/check", {"network": NET})
        left = checkers(process.pid)
        assert left
        process.kill()
        process.wait(10)
        wait_for(lambda: not any(map(is_there, left)), "the end of the processes", 20)
