"""A disk that is full, and small nets with weights."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

FULL_DISK_BYTES = 64 * 2**10


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder on a file system of 64 KiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = shutil.which("mount")
    if mount is None:
        pytest.skip("mounting a small file system needs mount")
    made = subprocess.run(
        [mount, "-t", "tmpfs", "-o", f"size={FULL_DISK_BYTES}", "tmpfs", str(folder)],
        capture_output=True,
        text=True,
    )
    if made.returncode:
        pytest.skip(f"mounting a small file system is not permitted: {made.stderr.strip()}")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)
