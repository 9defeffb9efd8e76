"""The process that indexes, in this one."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from protonet.data.record_index import RecordIndex
from protonet.data.shapes import create_shapes
from protonet.jobs.tasks.progress_log import read_progress
from protonet.web.datasets.indexer import main, progress_file


def test_it_makes_the_index_and_tells_how_far_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    nice: list[int] = []
    monkeypatch.setattr(os, "nice", nice.append)
    create_shapes(tmp_path / "set", 24, 16, 5, 1, seed=1)
    images, folder = tmp_path / "set" / "train_images", tmp_path / "index"
    assert main([str(folder), "detection", str(images)]) == 0
    assert len(RecordIndex(folder, images)) == 5
    told = read_progress(progress_file(folder))
    assert told is not None
    assert (told.done, told.total, nice) == (5, 5, [10])
    assert main([str(folder), "segmentation", str(images), str(tmp_path / "no")]) == 4
    assert "there is no such database" in capfd.readouterr().err
