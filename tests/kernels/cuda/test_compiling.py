"""Libraries of C++ that workers make at the same time."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.kernels.cuda.compiling import compiled
from tests.kernels.cuda.emulation import needs_compiler

TEXT = 'extern "C" int answer() { return 42; }'
run = subprocess.run


@needs_compiler
def test_a_library_is_made_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert compiled(TEXT, tmp_path / "new").answer() == 42
    monkeypatch.setattr(subprocess, "run", None)
    assert compiled(TEXT, tmp_path / "new").answer() == 42


@needs_compiler
def test_workers_at_the_same_time_have_files_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second worker comes while the first one's compiler runs, and both end well."""
    written: list[tuple[str, str]] = []

    def slow(command: list[str], **options: Any) -> Any:
        written.append((command[-3], command[-1]))
        if len(written) == 1:
            assert compiled(TEXT, tmp_path).answer() == 42
            assert Path(command[-3]).read_text() == TEXT
        return run(command, **options)

    monkeypatch.setattr(subprocess, "run", slow)
    assert compiled(TEXT, tmp_path).answer() == 42
    assert len({name for pair in written for name in pair}) == 4
    assert [path.suffix for path in tmp_path.iterdir()] == [".so"]


@needs_compiler
def test_a_worker_that_was_killed_leaves_no_half_library(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(command: list[str], **_: Any) -> Any:
        Path(command[-1]).write_bytes(b"half")
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(subprocess, "run", killed)
        with pytest.raises(KeyboardInterrupt):
            compiled(TEXT, tmp_path)
    assert list(tmp_path.glob("*.so")) == []
    assert compiled(TEXT, tmp_path).answer() == 42
