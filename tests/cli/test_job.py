"""A command of the page in this process; tests/web/test_process.py runs it as the page does."""

from __future__ import annotations

from pathlib import Path

from protonet.cli.job import main
from protonet.web.process import read_exit


def test_in_this_process(tmp_path: Path) -> None:
    """The child's own part, with nothing limited."""
    (tmp_path / "lock").touch()
    assert main([str(tmp_path), "0", "layers"]) == 0
    assert read_exit(tmp_path) == 0
    (tmp_path / "exit.json").write_text("{")
    assert read_exit(tmp_path) is None
