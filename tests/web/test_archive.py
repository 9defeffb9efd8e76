"""A training as a zip file that Caffe's tools and infer take."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest

from protonet.cli import main
from protonet.errors import UsageError
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
