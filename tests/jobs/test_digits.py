"""A whole convolutional training, met number by number.

The digits are the UCI "Optical Recognition of Handwritten Digits" test set (E. Alpaydin,
C. Kaynak; CC BY 4.0), as scikit-learn carries it, scaled to bytes.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from protonet.formats.caffemodel import read_weights
from protonet.formats.solverstate import read_state
from protonet.graph.fusion import fusions
from protonet.jobs.run.settings import SolverSettings
from protonet.jobs.training.start import start_solver
from protonet.proto.caffe_pb2 import NetParameter
from protonet.train import events

GOLDEN = Path(__file__).parents[1] / "golden" / "digits"


@pytest.mark.parametrize("fuse", [True, False], ids=["fused", "alone"])
def test_digits_train_to_the_log_of_caffe(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fuse: bool
) -> None:
    shutil.copytree(GOLDEN, tmp_path / "digits")
    monkeypatch.chdir(tmp_path / "digits")
    solver = Path("solver.prototxt")
    solver.write_text(solver.read_text() + 'weights: "init.caffemodel"\n')
    heard: list[events.Event] = []
    fused: list[tuple[str, list[str]]] = []
    start_solver(
        solver,
        SolverSettings(out=tmp_path / "run", fuse=fuse),
        listeners=[heard.append],
        on_trainer=lambda trainer: fused.extend(fusions(trainer.net.plan)),
    )
    assert bool(fused) == fuse

    lines = (GOLDEN / "caffe.log").read_text().splitlines(keepends=True)
    log = "".join(line for line in lines if "data_layer.cpp" not in line)
    logged = {
        int(iteration): float(loss)
        for iteration, loss in re.findall(
            r"Iteration (\d+) \(.*\n.*Train net output #0: loss = (\S+)", log
        )
    }
    losses = {e.iteration: e.outputs[0].value for e in heard if isinstance(e, events.Iterated)}
    assert len(logged) == 20
    assert losses == pytest.approx(logged, rel=1e-3)

    tests = re.findall(
        r"Iteration (\d+), Testing net.*\n.*accuracy = (\S+)\n.*loss = (\S+) \(", log
    )
    expected = {int(i): (float(accuracy), float(loss)) for i, accuracy, loss in tests}
    found = {
        e.iteration: tuple(output.value for output in e.outputs)
        for e in heard
        if isinstance(e, events.Tested)
    }
    assert sorted(found) == sorted(expected) == [0, 50, 100, 150, 200]
    for iteration, values in expected.items():
        assert found[iteration] == pytest.approx(values, rel=1e-3)
    assert found[200][0] == pytest.approx(0.882155, abs=1e-5)

    for iteration in (100, 200):
        ours = read_weights(Path(f"digits_iter_{iteration}.caffemodel"))
        theirs = read_weights(GOLDEN / f"digits_iter_{iteration}.caffemodel")
        for name, arrays in ours.items():
            for a, b in zip(arrays, theirs[name], strict=True):
                assert a is not None
                assert b is not None
                scale = float(np.abs(b).max())
                np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-3 * scale, err_msg=name)
        check_fields(iteration)


def check_fields(iteration: int) -> None:
    """Weights and state have Caffe's fields, but for what two trainings must differ in."""
    nets = []
    for folder in (Path(), GOLDEN):
        net = NetParameter()
        net.ParseFromString((folder / f"digits_iter_{iteration}.caffemodel").read_bytes())
        for layer in net.layer:
            for blob in layer.blobs:
                assert len(blob.data) == np.prod(blob.shape.dim)
                blob.ClearField("data")
        nets.append(net)
    ours, theirs = nets
    assert [layer.name for layer in ours.layer] == [layer.name for layer in theirs.layer]
    for one, other in zip(ours.layer, theirs.layer, strict=True):
        for layer in (one, other):
            layer.ClearField("include")
            # A run's texts name databases so that they are found from every folder.
            if layer.type == "Data":
                layer.data_param.source = Path(layer.data_param.source).name
        assert one == other
    states = [
        read_state(folder / f"digits_iter_{iteration}.solverstate") for folder in (Path(), GOLDEN)
    ]
    told = [(s.iteration, Path(s.learned_net).name, s.current_step) for s in states]
    assert told[0] == told[1]
    shapes = [[array.shape for array in state.history] for state in states]
    assert shapes[0] == shapes[1]
