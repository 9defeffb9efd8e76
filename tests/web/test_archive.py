"""A training as a zip file that Caffe's tools and infer take."""

from __future__ import annotations

import io
import json
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest

from protonet.cli import main
from protonet.errors import DataError, UsageError
from protonet.formats.caffemodel import read_weights
from protonet.jobs.json_form import to_json
from protonet.jobs.run.directory import RunDirectory
from protonet.jobs.training.resume import ResumeOptions, resume
from protonet.web.archive import archive
from tests.web.trained import slopes


def test_what_is_in_it(gradients: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = slopes(gradients, tmp_path / "run")
    data = b"".join(archive(run, "slopes"))
    with zipfile.ZipFile(io.BytesIO(data)) as file:
        assert file.testzip() is None
        names = set(file.namelist())
        file.extractall(tmp_path / "unpacked")
    for name in ("train_val.prototxt", "solver.prototxt", "deploy.prototxt", "mean.binaryproto",
                 "run.json", "snapshot_iter_12.caffemodel"):  # fmt: skip
        assert f"slopes/{name}" in names
    every = b"".join(archive(run, "slopes", all_snapshots=True))
    with zipfile.ZipFile(io.BytesIO(every)) as file:
        assert len([n for n in file.namelist() if n.endswith(".caffemodel")]) == 3

    (tmp_path / "slopes.zip").write_bytes(data)
    assert main(["infer", str(tmp_path / "slopes.zip"), str(gradients / "test.png")]) == 0
    assert "output" in capsys.readouterr().out
    folder = tmp_path / "unpacked" / "slopes"
    texts = (folder / "train_val.prototxt").read_text()
    assert 'mean_file: "mean.binaryproto"' in texts  # the one beside it, on any machine
    assert str(run.path) not in texts
    for path in folder.iterdir():
        assert str(tmp_path).encode() not in path.read_bytes(), path.name
        assert str(gradients).encode() not in path.read_bytes(), path.name
    info = json.loads((folder / "run.json").read_text())
    assert info["settings"]["data"] == "train_images"
    assert 'source: "train_images"' in texts
    assert main(["infer", str(folder), str(gradients / "test.png")]) == 0
    assert "output" in capsys.readouterr().out
    weights = str(folder / "snapshot_iter_12.caffemodel")
    assert main(["time", "-model", str(folder / "deploy.prototxt"), "-weights", weights,
                 "-iterations", "1"]) == 0  # fmt: skip


def test_a_training_without_a_snapshot(gradients: Path, tmp_path: Path) -> None:
    run = slopes(gradients, tmp_path / "run")
    for iteration in run.iterations():
        run.snapshots().remove(iteration)
    with pytest.raises(UsageError, match="no snapshot yet"):
        next(archive(run, "x"))


def test_what_was_unpacked_goes_on_where_the_data_are_named(
    gradients: Path, tmp_path: Path
) -> None:
    """Elsewhere, from the snapshot before the last: with the bits of the whole training."""
    run = slopes(gradients, tmp_path / "run")
    data = b"".join(archive(run, "slopes", all_snapshots=True))
    with zipfile.ZipFile(io.BytesIO(data)) as file:
        file.extractall(tmp_path / "unpacked")
    whole = run.snapshots().model(12).read_bytes()
    folder = tmp_path / "unpacked" / "slopes"
    shutil.rmtree(run.path)
    there = RunDirectory.open(folder)
    there.snapshots().remove(12)
    there.update(status="abort")
    with pytest.raises(DataError, match=r"train_images: .* no longer exists; .* with --data"):
        resume(folder)
    moved = {
        "data": gradients / "train_images",
        "labels": gradients / "train_labels",
        "val_data": gradients / "val_images",
        "val_labels": gradients / "val_labels",
    }
    given = to_json(there.record().settings)
    resume(
        folder,
        ResumeOptions(moved={name: path for name, path in moved.items() if given.get(name)}),
    )
    again = read_weights(there.snapshots().model(12))
    (tmp_path / "whole.caffemodel").write_bytes(whole)
    for layer, params in read_weights(tmp_path / "whole.caffemodel").items():
        for one, other in zip(params, again[layer], strict=True):
            np.testing.assert_array_equal(one, other)
