"""Trainings by Caffe's own solver files."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from protonet.data.database import Database
from protonet.data.writer import DatabaseWriter
from protonet.errors import DataError, FormatError, UsageError
from protonet.formats.caffemodel import read_weights
from protonet.formats.solverstate import read_state
from protonet.jobs.inference.trained_run import Predictor
from protonet.jobs.run.settings import SolverSettings
from protonet.jobs.training.join import Outcome
from protonet.jobs.training.resume import resume
from protonet.jobs.training.start import start_solver
from protonet.proto.text import Source, read_net, read_solver
from protonet.train import events, snapshot

GOLDEN = Path(__file__).parents[2] / "golden"


def test_caffes_own_files_give_caffes_numbers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    golden = GOLDEN / "regression"
    monkeypatch.chdir(tmp_path)
    heard: list[events.Event] = []
    outcome = start_solver(
        golden / "solver.prototxt",
        SolverSettings(out=tmp_path / "run"),
        listeners=[heard.append],
    )
    log = (golden / "caffe.log").read_text()
    logged = {
        int(iteration): float(loss)
        for iteration, loss in re.findall(
            r"Iteration (\d+) \(.*\n.*Train net output #0: loss = (\S+)", log
        )
    }
    found = {e.iteration: e.outputs[0].value for e in heard if isinstance(e, events.Iterated)}
    assert len(logged) == 150
    assert found == pytest.approx(logged, rel=1e-3)
    tests = re.findall(r"Iteration (\d+), Testing.*\n(?:.*Restarting.*\n)*.*loss = (\S+)", log)
    tested = {e.iteration: e.outputs[0].value for e in heard if isinstance(e, events.Tested)}
    assert tested == pytest.approx({int(i): float(loss) for i, loss in tests}, rel=1e-3)
    theirs = read_weights(golden / "reg_iter_150.caffemodel")["hidden"]
    ours = read_weights(tmp_path / "reg_iter_150.caffemodel")["hidden"]
    for a, b in zip(ours, theirs, strict=True):
        assert a is not None
        assert b is not None
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-3 * float(np.abs(b).max()))
    # Paths are told and stored as Caffe does it: relative where the solver's prefix is.
    found = (outcome.run.path / "train.log").read_text()
    lines = r"Snapshotting .*"
    assert re.findall(lines, found) == re.findall(lines, log)
    assert read_state("reg_iter_150.solverstate").learned_net == "reg_iter_150.caffemodel"
    (answer,) = Predictor(outcome.run).predict([golden / "test.png"])
    np.testing.assert_allclose(answer.outputs["output"], [0.5065912, 0.504923], rtol=1e-3)


@pytest.fixture
def here(gradients: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, with the data in ``data`` and the nets below ``nets``."""
    folder = tmp_path / "here"
    (folder / "nets").mkdir(parents=True)
    (folder / "data").symlink_to(gradients)
    monkeypatch.chdir(folder)
    return folder


def net(part: str, batch: int) -> str:
    return f"""
    name: "seed"
    layer {{ name: "data" type: "Data" top: "data"
      transform_param {{ mean_file: "data/train_mean.binaryproto" }}
      data_param {{ source: "data/{part}_images" batch_size: {batch} }} }}
    layer {{ name: "label" type: "Data" top: "label"
      data_param {{ source: "data/{part}_labels" batch_size: {batch} }} }}
    layer {{ name: "hidden" type: "InnerProduct" bottom: "data" top: "output"
      inner_product_param {{ num_output: 2 weight_filler {{ type: "xavier" }} }} }}
    layer {{ name: "loss" type: "EuclideanLoss" bottom: "output" bottom: "label" top: "loss" }}
    """


def solver(folder: Path, text: str, **nets: str) -> Path:
    for name, net_text in nets.items():
        (folder / f"{name}.prototxt").write_text(net_text)
    path = folder / "solver.prototxt"
    path.write_text('base_lr: 1e-9 lr_policy: "fixed" max_iter: 6 snapshot: 2 ' + text)
    return path


def cut(outcome: Outcome, prefix: Path, iteration: int) -> bytes:
    """Remove a snapshot as if the run had been killed before; return its weights."""
    model = prefix.with_name(f"{prefix.name}_iter_{iteration}.caffemodel")
    content = model.read_bytes()
    for path in prefix.parent.glob(f"{prefix.name}_iter_{iteration}.*"):
        path.unlink()
    outcome.run.update(status="run")
    return content


def test_a_run_of_solver_files_resumes_from_anywhere(
    here: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = solver(
        here / "nets",
        'train_net: "train.prototxt" test_net: "nets/test.prototxt" test_iter: 2 test_interval: 2 '
        'snapshot_prefix: "weights/w"',
        train=net("train", 4),
        test=net("val", 5),
    )
    outcome = start_solver(path, SolverSettings(out=tmp_path / "run"))
    assert outcome.notes == ('not in deploy.prototxt, because they need labels: "loss"',)
    run = outcome.run
    assert run.original.read_text() == net("train", 4)
    assert run.original_solver.read_text() == path.read_text()
    copied = read_solver(Source.read(run.solver))
    assert (copied.train_net, list(copied.test_net)) == ("train_val.prototxt", ["test_0.prototxt"])
    names = ("train_images", "train_labels", "val_images", "val_labels", "train_mean.binaryproto")
    assert {each.path for each in run.record().databases} == {
        str((here / "data").resolve() / name) for name in names
    }
    whole = cut(outcome, here / "weights" / "w", 6)
    shutil.rmtree(here / "nets")
    monkeypatch.chdir(tmp_path)
    torn = here / "weights" / ".w_iter_6.caffemodel.01234567.part"
    torn.touch()
    others = here / "weights" / ".x_iter_6.caffemodel.01234567.part"
    others.touch()
    assert resume(tmp_path / "run").notes == ("resumed at iteration 4",)
    assert (here / "weights" / "w_iter_6.caffemodel").read_bytes() == whole
    assert (torn.exists(), others.exists()) == (False, True)


def test_snapshots_of_another_run_are_not_resumed(here: Path, tmp_path: Path) -> None:
    path = solver(here, 'net: "net.prototxt"', net=net("train", 4))
    first = start_solver(path, SolverSettings(out=tmp_path / "first"))
    assert first.run.iterations() == [2, 4, 6]
    second = start_solver(path, SolverSettings(out=tmp_path / "second"))
    second.run.update(status="run")
    second.run.metrics.unlink()
    assert second.run.iterations() == []
    assert resume(tmp_path / "second").notes == ("no snapshot yet: from the beginning",)


@pytest.mark.parametrize(
    ("prefix", "expected"),
    [("", "nets/solver"), ('snapshot_prefix: "data/.."', "solver"), ('snapshot_prefix: "a"', "a")],
)
def test_where_snapshots_go(here: Path, prefix: str, expected: str, tmp_path: Path) -> None:
    prefix = prefix.replace("data/..", ".")
    path = solver(here / "nets", f'net: "net.prototxt" {prefix}', net=net("train", 4))
    outcome = start_solver(path, SolverSettings(out=tmp_path / "run"))
    assert outcome.run.snapshots().model(6).resolve() == here / f"{expected}_iter_6.caffemodel"
    assert outcome.run.snapshots().complete() == [2, 4, 6]


def test_weights_are_loaded_first(here: Path, tmp_path: Path) -> None:
    start_solver(
        solver(here, 'net: "net.prototxt"', net=net("train", 4)),
        SolverSettings(out=tmp_path / "first"),
    )
    path = solver(
        here / "nets",
        'net: "fine.prototxt" weights: "solver_iter_4.caffemodel, solver_iter_6.caffemodel"',
        fine=net("train", 4).replace("1e-9", "0"),
    )
    path.write_text(path.read_text().replace("base_lr: 1e-9", "base_lr: 0"))
    outcome = start_solver(path, SolverSettings(out=tmp_path / "second"))
    assert outcome.notes[1:] == (
        f"layers loaded from {here / 'solver_iter_4.caffemodel'}: hidden",
        f"layers loaded from {here / 'solver_iter_6.caffemodel'}: hidden",
    )
    ours = read_weights(here / "nets" / "solver_iter_6.caffemodel")["hidden"][0]
    theirs = read_weights(here / "solver_iter_6.caffemodel")["hidden"][0]
    np.testing.assert_array_equal(ours, theirs)


def test_weights_of_another_net_leave_no_run(here: Path, tmp_path: Path) -> None:
    start_solver(
        solver(here, 'net: "net.prototxt"', net=net("train", 4)),
        SolverSettings(out=tmp_path / "first"),
    )
    path = solver(
        here,
        'net: "net.prototxt" weights: "solver_iter_6.caffemodel"',
        net=net("train", 4).replace("num_output: 2", "num_output: 2 bias_term: false"),
    )
    with pytest.raises(FormatError, match=r"layer 'hidden' has 1 parameter\(s\), not 2"):
        start_solver(path, SolverSettings(out=tmp_path / "second"))
    assert not (tmp_path / "second").exists()


def test_layers_without_weights_are_told_of(here: Path, tmp_path: Path) -> None:
    start_solver(
        solver(here, 'net: "net.prototxt"', net=net("train", 4)),
        SolverSettings(out=tmp_path / "first"),
    )
    path = solver(
        here,
        'net: "net.prototxt" weights: "solver_iter_6.caffemodel"',
        net=net("train", 4).replace('name: "hidden"', 'name: "other"'),
    )
    notes = start_solver(path, SolverSettings(out=tmp_path / "second")).notes
    assert notes[-1].endswith(
        "solver_iter_6.caffemodel: none; missing in it: other; unused in it: hidden"
    )


def test_a_net_without_images_trains_but_cannot_be_asked(here: Path, tmp_path: Path) -> None:
    text = """
    state { stage: "own" }
    layer { name: "d" type: "DummyData" top: "x" top: "y"
      dummy_data_param { shape { dim: 2 dim: 3 } shape { dim: 2 dim: 1 } } }
    layer { name: "ip" type: "InnerProduct" bottom: "x" top: "ip"
      inner_product_param { num_output: 1 } include { stage: "own" } }
    layer { name: "loss" type: "EuclideanLoss" bottom: "ip" bottom: "y" top: "loss" }
    """
    outcome = start_solver(
        solver(here, 'net: "net.prototxt"', net=text), SolverSettings(out=tmp_path / "run")
    )
    assert outcome.notes == ("no Data layer of images, so no deploy.prototxt was made",)
    with pytest.raises(UsageError, match=r"no deploy\.prototxt for inference"):
        Predictor(outcome.run)


def test_snapshots_that_cannot_be_written_are_told_of_before_the_training(
    here: Path, tmp_path: Path
) -> None:
    (here / "file").touch()
    path = solver(here, 'net: "net.prototxt" snapshot_prefix: "file/s"', net=net("train", 4))
    with pytest.raises(UsageError, match=r"file/s: snapshots cannot be written there"):
        start_solver(path, SolverSettings(out=tmp_path / "run"))
    assert not (tmp_path / "run").exists()
    never = "snapshot: 0 snapshot_after_train: false"
    path.write_text(path.read_text().replace("snapshot: 2", never))
    start_solver(path, SolverSettings(out=tmp_path / "run"))


def test_a_run_too_large_for_protobuf_keeps_hdf5(
    here: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshot, "SIZE_LIMIT", 100)
    path = solver(here, 'net: "net.prototxt" snapshot_prefix: "big"', net=net("train", 4))
    outcome = start_solver(path, SolverSettings(out=tmp_path / "run", keep=1))
    assert any("larger than 2 GiB" in note for note in outcome.notes)
    assert outcome.run.iterations() == [6]
    assert sorted(each.name for each in here.glob("big*")) == [
        "big_iter_6.caffemodel.h5",
        "big_iter_6.resume.json",
        "big_iter_6.solverstate.h5",
    ]
    (answer,) = Predictor(outcome.run).predict([GOLDEN / "regression" / "test.png"])
    assert answer.outputs["output"].shape == (2,)


def test_a_net_of_which_no_deploy_net_can_be_made(here: Path, tmp_path: Path) -> None:
    text = net("train", 4).replace('bottom: "data" top', 'bottom: "label" top')
    outcome = start_solver(
        solver(here, 'net: "net.prototxt"', net=text), SolverSettings(out=tmp_path / "run")
    )
    assert outcome.notes[0].startswith("no deploy.prototxt was made: ")
    assert not outcome.run.deploy.exists()


def test_pairs_are_checked_by_key(here: Path, tmp_path: Path) -> None:
    with (
        Database(here / "data" / "train_labels") as labels,
        DatabaseWriter(tmp_path / "l") as fewer,
    ):
        for key, datum in labels:
            if key != b"7":
                fewer.put(key, datum)
    text = net("train", 4).replace("data/train_labels", str(tmp_path / "l"))
    with pytest.raises(DataError, match="lacks '7'"):
        start_solver(
            solver(here, 'net: "net.prototxt"', net=text), SolverSettings(out=tmp_path / "run")
        )
    assert not (tmp_path / "run").exists()


def test_keys_of_another_form_pair_by_place_as_in_caffe(here: Path, tmp_path: Path) -> None:
    with (
        Database(here / "data" / "train_labels") as labels,
        DatabaseWriter(tmp_path / "l") as other,
    ):
        for place, (_, datum) in enumerate(labels):
            other.put(f"row {place:05}".encode(), datum)
    texts = [net("train", 4), net("train", 4).replace("data/train_labels", str(tmp_path / "l"))]
    losses = []
    for place, text in enumerate(texts):
        outcome = start_solver(
            solver(here, 'net: "net.prototxt"', net=text),
            SolverSettings(out=tmp_path / f"run{place}", seed=1),
        )
        losses.append(outcome.result.loss)
        told = [note for note in outcome.notes if "paired by their places" in note]
        assert len(told) == place
    assert losses[0] == losses[1]


def test_the_texts_of_the_run_are_complete(here: Path, tmp_path: Path) -> None:
    path = solver(here, 'net: "net.prototxt"', net=net("train", 4))
    run = start_solver(path, SolverSettings(out=tmp_path / "run")).run
    assert read_solver(Source.read(run.solver)).net == "train_val.prototxt"
    first = read_net(Source.read(run.train_val)).net.layer[0]
    assert first.data_param.source == str((here / "data").resolve() / "train_images")
    info = json.loads(run.info.read_text())
    assert [Path(each["path"]).name for each in info["texts"]] == [
        "solver.prototxt",
        "net.prototxt",
    ]
    assert (info["kind"], info["status"], info["iteration"]) == ("solver", "done", 6)
