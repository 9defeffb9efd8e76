"""serve: what cannot be served; the page itself is tested in tests/web."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from protonet.cli import main


def test_what_cannot_be(protonet: Any, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    found = protonet("serve", "file")
    assert found.returncode == 2
    assert "file" in found.stderr
    found = protonet("serve", "work", "--allow", "nowhere")
    assert found.returncode == 2
    assert "no such folder to allow" in found.stderr
    assert protonet("serve", "--port", 0).returncode == 2


def test_a_port_that_is_taken(protonet: Any) -> None:
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        found = protonet("serve", "work", "--port", port)
    assert found.returncode == 2
    assert f"port {port}" in found.stderr
    assert "Traceback" not in found.stderr


def test_the_libraries_are_asked_for_by_name(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "protonet.web.server", None)
    assert main(["serve"]) == 2
    assert "pip install 'protonet[web]'" in capsys.readouterr().err
