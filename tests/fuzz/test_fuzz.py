"""10,000 changed inputs: none raises anything but our errors, ends the process, or takes long.

To read one again: ``tests.fuzz.mutate.mutant`` makes it from its number.
"""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.fuzz.targets import TARGETS

COUNTS = {
    "prototxt": 2600,
    "caffemodel": 1500,
    "solverstate": 1000,
    "resume": 500,
    "datum": 1000,
    "lmdb": 800,
    "mean": 800,
    "image": 800,
    "t7": 1000,
}
PROCESSES = 2


def test_the_counts_are_of_every_target() -> None:
    assert COUNTS.keys() == TARGETS.keys()
    assert sum(COUNTS.values()) == 10_000


@pytest.mark.parametrize("kind", COUNTS)
def test_changed_inputs_are_read_or_refused(kind: str, tmp_path: Path) -> None:
    count = COUNTS[kind]
    size = -(-count // PROCESSES)
    parts = [(first, min(first + size, count)) for first in range(0, count, size)]
    folders = [tmp_path / str(first) for first, _ in parts]
    with ThreadPoolExecutor(PROCESSES) as pool:
        found = pool.map(lambda part, folder: read(kind, part, folder), parts, folders)
        failures = [line for lines in found for line in lines]
    assert not failures, "\n".join(failures)


def read(kind: str, part: tuple[int, int], folder: Path) -> list[str]:
    """The failures of these mutants; a process that ends early is followed by another."""
    (folder / "seeds").mkdir(parents=True)
    first, last = part
    failures: list[str] = []
    root = str(Path(__file__).parents[2])
    while first < last:
        ended = subprocess.run(
            [sys.executable, "-m", "tests.fuzz.worker", kind, str(first), str(last)],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": root},
            capture_output=True,
            text=True,
            check=False,
        )
        failures += ended.stdout.splitlines()
        if ended.returncode == 0:
            break
        progress = folder / "PROGRESS"
        assert progress.exists(), ended.stderr
        at = int(progress.read_text())
        failures.append(f"{at} ended the process with {ended.returncode}: {ended.stderr[-300:]}")
        first = at + 1
        for left in (folder / "seeds").iterdir():
            left.rename(folder / f"{left.name}-{first}")
    return failures
