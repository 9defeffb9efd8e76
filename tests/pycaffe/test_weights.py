"""Weights that fit no layer: told on standard error, as Caffe's log tells them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import protonet.pycaffe as caffe
from protonet.errors import FormatError
from protonet.formats.caffemodel import read_model, write_model
from tests.pycaffe.conftest import DEPLOY, TRAIN

Make = Callable[..., caffe.Net]


def test_weights_that_fit_no_layer_are_told(
    net_of: Make, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = str(tmp_path / "w.caffemodel")
    net_of().save(path)
    other = net_of(DEPLOY.replace('"fc"', '"fc8"'))
    assert capsys.readouterr().err == ""
    other.copy_from(path)
    assert capsys.readouterr().err == (
        f"Ignoring source layer fc\n{path}: no weights for fc8; these keep the values of "
        "their fillers\n"
    )


def test_a_layer_without_its_weights_in_the_file_is_refused(net_of: Make, tmp_path: Path) -> None:
    path = tmp_path / "w.caffemodel"
    net = net_of()
    net.save(path)
    model = read_model(path)
    model.layer[3].ClearField("blobs")
    write_model(path, model)
    with pytest.raises(FormatError, match="layer 'fc' has 2 parameter"):
        net.copy_from(path)


def test_weights_that_a_solver_file_names_are_told_of_too(
    net_of: Make,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    trained = net_of(DEPLOY)
    trained.params["conv"][0].data[...] = 5
    trained.save("w.caffemodel")
    Path("train.prototxt").write_text(TRAIN.replace('"fc"', '"fc8"'))
    Path("solver.prototxt").write_text(
        'net: "train.prototxt" base_lr: 0.1 lr_policy: "fixed" max_iter: 1 '
        'snapshot_prefix: "s" weights: "w.caffemodel"'
    )
    solver = caffe.SGDSolver("solver.prototxt")
    assert (solver.net.params["conv"][0].data == 5).all()
    assert capsys.readouterr().err == (
        "Ignoring source layer fc\nw.caffemodel: no weights for fc8; these keep the values of "
        "their fillers\n"
    )
