"""The process that looks at networks, spoken with as the server does."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from protonet.jobs.checks.network_report import NetworkReport
from protonet.jobs.json_form import from_json, to_json
from protonet.web.checker import request_of
from protonet.web.datasets import Databases
from protonet.web.networks import USUAL, inspect_network
from protonet.web.workspace import Workspace
from tests.web.conftest import NET
from tests.web.test_checks import LARGE, SLOW

Checker = subprocess.Popen[bytes]


@pytest.fixture
def checker() -> Iterator[Checker]:
    yield from started("0")


def started(memory: str) -> Iterator[Checker]:
    command = [sys.executable, "-m", "protonet.web.checker", memory]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        yield process
        process.kill()


def said(process: Checker) -> Any:
    assert process.stdout is not None
    return json.loads(process.stdout.readline() or b"null")


def ask(process: Checker, request: dict[str, Any]) -> Any:
    assert process.stdin is not None
    process.stdin.write(json.dumps(request).encode() + b"\n")
    process.stdin.flush()
    return said(process)


def test_what_crosses_the_pipe_comes_out_the_same(workspace: Workspace, gradients: Path) -> None:
    for text in (NET, NET.replace("Power", "Powr"), "layer {"):
        report = inspect_network(text, workspace, Databases.of_folder(gradients))
        read = from_json(NetworkReport, json.loads(json.dumps(to_json(report))), "a report")
        assert read == report


def test_answers(checker: Checker, workspace: Workspace) -> None:
    assert said(checker) == {"ready": True}
    report = ask(checker, request_of("look", NET, workspace, None, USUAL, 5))["report"]
    assert [row["name"] for row in report["rows"]] == ["scale", "hidden", "loss"]
    drawn = ask(checker, request_of("draw", NET, workspace, None, USUAL, 5))["drawn"]
    assert drawn.startswith("<?xml")
    wrong = ask(checker, request_of("draw", "layer {", workspace, None, USUAL, 5))
    assert wrong["mistakes"][0]["line"] == 1
    assert checker.stdin is not None
    checker.stdin.close()
    assert checker.wait(10) == 0


def test_it_ends_by_itself_where_nobody_ends_it(checker: Checker, workspace: Workspace) -> None:
    assert said(checker) == {"ready": True}
    assert ask(checker, request_of("look", SLOW, workspace, None, USUAL, 0.1)) is None
    assert checker.wait(10) == -signal.SIGALRM


def test_memory(workspace: Workspace) -> None:
    for checker in started(str(8 << 20)):
        assert said(checker) == {"ready": True}
        asked = request_of("look", LARGE, workspace, None, USUAL, 60)
        assert ask(checker, asked) == {"short": "memory"}


def test_a_fault_of_its_own_is_told_and_logged(checker: Checker, workspace: Workspace) -> None:
    assert said(checker) == {"ready": True}
    asked = request_of("look", NET, workspace, None, USUAL, 5)
    told = ask(checker, {**asked, "text": 3})
    assert told["failed"].startswith("TypeError")
    assert "mistakes" not in told
    checker.kill()
    assert checker.stderr is not None
    assert b"Traceback" in checker.stderr.read()
