"""A process that answers in lines of JSON, and how its end is told."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from protonet.web.checker import request_of
from protonet.web.networks import USUAL
from protonet.web.worker_process import Process, ProcessEndedError
from protonet.web.workspace import Workspace


@pytest.fixture
def process() -> Iterator[Process]:
    made = Process(0)
    yield made
    made.end()


def test_it_is_asked_again_and_again(process: Process) -> None:
    asked = request_of("look", "layer { }", Workspace(Path("/nowhere")), None, USUAL, 5)
    first = process.request(asked, 10)
    assert first["report"]["rows"] == []
    assert first["report"]["mistakes"]
    assert process.request(asked, 10) == first
    assert process.is_alive()


def test_its_end_is_told(process: Process) -> None:
    process.kill()
    with pytest.raises(ProcessEndedError, match="SIGKILL") as caught:
        process.request({}, 10)
    assert not caught.value.overstayed
    assert not process.is_alive()


def test_it_ends_where_it_overstays(process: Process) -> None:
    asked = request_of("look", "layer { }", Workspace(Path("/nowhere")), None, USUAL, 5)
    process.request(asked, 10)
    os.kill(process.pid, signal.SIGSTOP)
    with pytest.raises(ProcessEndedError) as caught:
        process.request({**asked, "text": "#" * 1_000_000}, 0.3)
    assert caught.value.overstayed
    assert not process.is_alive()
