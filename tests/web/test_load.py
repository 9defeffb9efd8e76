"""Fifty clients at once while a training runs: all are answered, and memory stays as it is.

How soon, ``benchmarks/page_load.py`` measures for a minute on a machine that runs nothing else.
"""

from __future__ import annotations

import importlib
import statistics
from pathlib import Path

import pytest

from tests.web.browser import ROOT, awaited, served


@pytest.mark.long
def test_fifty_clients_and_a_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    page_load = importlib.import_module("page_load")
    folder = tmp_path / "work"
    page_load.fill(folder, 300)
    with served(folder) as (address, process):
        target = awaited(page_load.prepare(address.rstrip("/")))
        warm, out = page_load.Measured(), page_load.Measured()
        awaited(page_load.load(target, warm, 20, 2, 0.2, process.pid))
        awaited(page_load.load(target, out, 50, 6, 0.2, process.pid))
        awaited(page_load.stop(target))
    assert out.failures == warm.failures == 0
    assert out.wrong == []
    assert len(out.all()) > 100
    sizes = [size for _, size in out.memory]
    third = len(sizes) // 3
    grown = statistics.median(sizes[-third:]) - statistics.median(sizes[third : 2 * third])
    assert grown < 30 * 2**20, [size >> 20 for size in sizes]
