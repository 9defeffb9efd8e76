"""The loop: order of events, Caffe's trajectories, stopping, restoring, diverging."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from protonet.device import Device
from protonet.errors import FormatError, TrainingError
from protonet.formats import blobs
from protonet.graph.net import Net
from protonet.graph.planning import plan_net
from protonet.layers.normalization import Normalize
from protonet.proto.caffe_pb2 import TEST, SolverParameter
from protonet.proto.text import Source, read_net, read_solver
from protonet.train import events, snapshot
from protonet.train.listeners import CaffeLog
from protonet.train.snapshot import Snapshots
from protonet.train.trainer import Trainer
from tests.graph.nets import plan_of

TESTS = Path(__file__).parents[1]
GOLDEN = TESTS / "golden" / "solvers"
FORKS = TESTS / "golden_forks" / "solvers"

NET = """
name: "small"
layer { name: "data" type: "DummyData" top: "x" top: "t" dummy_data_param {
  shape { dim: 4 dim: 3 } shape { dim: 4 dim: 2 }
  data_filler { type: "gaussian" } data_filler { type: "uniform" } } }
layer { name: "drop" type: "Dropout" bottom: "x" top: "d" }
layer { name: "ip" type: "InnerProduct" bottom: "d" top: "y"
  inner_product_param { num_output: 2 weight_filler { type: "xavier" } } }
layer { name: "loss" type: "EuclideanLoss" bottom: "y" bottom: "t" top: "loss" }
"""


def solver_of(**settings: Any) -> SolverParameter:
    base: dict[str, Any] = {"base_lr": 0.1, "lr_policy": "fixed", "momentum": 0.9, "max_iter": 6}
    return SolverParameter(**{**base, **settings})


def trainer_of(
    tmp_path: Path, heard: list[events.Event] | None = None, net: str = NET, **settings: Any
) -> Trainer:
    solver = solver_of(**settings)
    device = Device("cpu")
    train = Net(plan_of(net), device, seed=1)
    tests = []
    if solver.test_interval:
        tests = [(Net(plan_of(net, TEST), device, seed=1, params_of=train), 2)]
    listeners = [] if heard is None else [heard.append]
    return Trainer(solver, train, tests, Snapshots(tmp_path / "s"), listeners)


def kinds(heard: Sequence[events.Event]) -> list[str]:
    return [
        f"{type(event).__name__} {event.iteration}"
        for event in heard
        if not isinstance(event, events.Ticked)
    ]


def test_events_come_in_caffes_order(tmp_path: Path) -> None:
    heard: list[events.Event] = []
    trainer = trainer_of(tmp_path, heard, max_iter=4, display=2, test_interval=2, snapshot=2)
    result = trainer.run()
    assert kinds(heard) == [
        "Started 0",
        "Tested 0",
        "Iterated 0",
        "Snapshotted 2",
        "Tested 2",
        "Iterated 2",
        "Snapshotted 4",
        "Concluded 4",
        "Tested 4",
        "Stopped 4",
    ]
    assert (result.iteration, result.interrupted) == (4, False)


def test_tests_may_have_an_offset(tmp_path: Path) -> None:
    heard: list[events.Event] = []
    trainer_of(tmp_path, heard, max_iter=7, test_interval=3, test_offset=1).run()
    assert [each for each in kinds(heard) if each[:6] == "Tested"] == [
        "Tested 1",
        "Tested 4",
        "Tested 7",
    ]


def test_test_initialization_and_snapshot_after_train_can_be_off(tmp_path: Path) -> None:
    heard: list[events.Event] = []
    trainer_of(
        tmp_path,
        heard,
        max_iter=3,
        test_interval=5,
        test_initialization=False,
        snapshot_after_train=False,
    ).run()
    assert kinds(heard) == ["Started 0", "Stopped 3"]


@pytest.mark.parametrize(
    "folder",
    sorted(path.parent for root in (GOLDEN, FORKS) for path in root.glob("*/data.npz")),
    ids=lambda folder: folder.name,
)
def test_trajectories_are_caffes(folder: Path, tmp_path: Path) -> None:
    solver = read_solver(Source.read(folder / "solver.prototxt"))
    data = np.load(folder / "data.npz")
    net = Net(plan_net(read_net(Source.read(folder / "net.prototxt")), phase=0), Device("cpu"))
    weights = {
        layer: [data[f"param0/{layer}/{i}"] for i in range(len(params))]
        for layer, params in net.params.items()
    }
    net.load(weights, folder.name)
    trainer = Trainer(solver, net, snapshots=Snapshots(tmp_path / "snap"))
    train_with(trainer, data, 0, 5)
    trainer.snapshot()
    train_with(trainer, data, 5, 8)

    resumed = Net(plan_net(read_net(Source.read(folder / "net.prototxt")), phase=0), Device("cpu"))
    again = Trainer(solver, resumed)
    (theirs,) = folder.glob("snap_iter_5.solverstate*")
    again.restore(theirs)
    train_with(again, data, 5, 8)
    check_params(again, data, 8)


def train_with(trainer: Trainer, data: Any, start: int, stop: int) -> None:
    for iteration in range(start, stop):
        trainer.net.blobs["x"].data[...] = data["x"][iteration]
        trainer.net.blobs["t"].data[...] = data["t"][iteration]
        trainer.advance(1)
        assert trainer.smoothed.losses[-1] == pytest.approx(data["loss"][iteration], rel=1e-4)
        check_params(trainer, data, iteration + 1)


def check_params(trainer: Trainer, data: Any, iteration: int) -> None:
    for layer, params in trainer.net.params.items():
        for i, param in enumerate(params):
            expected = data[f"param/{iteration}/{layer}/{i}"]
            np.testing.assert_allclose(param.data, expected, rtol=1e-4, atol=1e-6)


def test_a_restored_training_ends_with_the_same_bits(tmp_path: Path) -> None:
    settings = {"max_iter": 9, "snapshot": 4, "average_loss": 3, "test_interval": 3}
    heard: list[events.Event] = []
    whole = trainer_of(tmp_path / "whole", heard, **settings)
    whole.run()
    later: list[events.Event] = []
    resumed = trainer_of(tmp_path / "resumed", later, **settings)
    resumed.restore(tmp_path / "whole" / "s_iter_4.solverstate")
    resumed.run()
    np.testing.assert_array_equal(whole.net.store.data, resumed.net.store.data)
    assert whole.smoothed.state() == resumed.smoothed.state()
    assert [e for e in heard if isinstance(e, events.Tested)][-2:] == [
        e for e in later if isinstance(e, events.Tested)
    ][-2:]


def test_stop_finishes_the_iteration_and_takes_a_snapshot(tmp_path: Path) -> None:
    heard: list[events.Event] = []
    trainer = trainer_of(tmp_path, heard, max_iter=50, display=1)

    def stop_at_seven(event: events.Event) -> None:
        if isinstance(event, events.Iterated) and event.iteration == 7:
            trainer.stop()

    trainer.listeners += (stop_at_seven,)
    result = trainer.run()
    assert (result.iteration, result.interrupted) == (8, True)
    assert kinds(heard)[-2:] == ["Snapshotted 8", "Stopped 8"]


@pytest.mark.parametrize(
    ("rate", "place"),
    [
        (1e8, 'blob "loss" of layer "loss" (EuclideanLoss)'),
        (3e38, 'layer "ip" (InnerProduct)'),
    ],
)
def test_a_loss_that_is_not_finite_stops_and_names_its_origin(
    tmp_path: Path, rate: float, place: str
) -> None:
    heard: list[events.Event] = []
    with pytest.raises(TrainingError) as caught:
        trainer_of(tmp_path, heard, max_iter=400, base_lr=rate).run()
    message = str(caught.value)
    assert place in message
    assert "smaller learning rate" in message
    assert isinstance(heard[-1], events.Failed)
    assert not list(tmp_path.glob("*.caffemodel"))


def test_weights_that_are_not_finite_are_never_stored(tmp_path: Path) -> None:
    trainer = trainer_of(tmp_path)
    trainer.net.store.data[0] = np.nan
    with pytest.raises(TrainingError, match=r"parameter 0 of layer \"ip\""):
        trainer.snapshot()
    assert not list(tmp_path.iterdir())


def test_a_state_whose_weights_are_gone(tmp_path: Path) -> None:
    trainer = trainer_of(tmp_path)
    trainer.run()
    (tmp_path / "s_iter_6.caffemodel").unlink()
    with pytest.raises(FormatError, match=r"s_iter_6\.caffemodel' do not exist"):
        trainer_of(tmp_path / "again").restore(tmp_path / "s_iter_6.solverstate")


def test_a_snapshot_that_moved_finds_its_weights_beside_it(tmp_path: Path) -> None:
    trainer_of(tmp_path / "here").run()
    (tmp_path / "here").rename(tmp_path / "there")
    again = trainer_of(tmp_path / "new", max_iter=7)
    again.restore(tmp_path / "there" / "s_iter_6.solverstate")
    assert again.iteration == 6


@pytest.mark.parametrize(("rule", "over"), [("SGD", "weights"), ("Adam", "state")])
def test_a_snapshot_larger_than_protobuf_holds_is_hdf5(
    rule: str, over: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Known before the first iteration, and exact: at the limit the files are Caffe's binary."""
    whole = trainer_of(tmp_path / "whole", type=rule)
    whole.run()
    assert (tmp_path / "whole" / "s_iter_6.caffemodel").exists()
    size = snapshot.largest_file(whole.net, whole.rule.slots)
    model, state = (tmp_path / "whole" / f"s_iter_6.{end}" for end in ("caffemodel", "solverstate"))
    assert (model if over == "weights" else state).stat().st_size <= size
    monkeypatch.setattr(snapshot, "SIZE_LIMIT", size)
    assert trainer_of(tmp_path, type=rule).snapshots == Snapshots(tmp_path / "s")
    monkeypatch.setattr(snapshot, "SIZE_LIMIT", size - 1)
    # No blob and no message could hold it.
    monkeypatch.setattr(blobs, "PAYLOAD_LIMIT", 0)
    first = trainer_of(tmp_path, type=rule, snapshot=3)
    first.run()
    assert sorted(path.name for path in tmp_path.glob("s_iter_6.*")) == [
        "s_iter_6.caffemodel.h5",
        "s_iter_6.resume.json",
        "s_iter_6.solverstate.h5",
    ]
    again = trainer_of(tmp_path, type=rule)
    again.restore(tmp_path / "s_iter_3.solverstate.h5")
    again.run()
    for trainer in (first, again):
        np.testing.assert_array_equal(trainer.net.store.data, whole.net.store.data)


@pytest.mark.parametrize("where", ["solver", "net"])
def test_debug_info_tells_of_every_iteration(where: str, tmp_path: Path) -> None:
    heard: list[events.Event] = []
    text = ("debug_info: true" if where == "net" else "") + NET
    net = Net(plan_of(text), Device())
    solver = solver_of(max_iter=2, debug_info=where == "solver")
    Trainer(solver, net, listeners=[heard.append]).run()
    told = [event for event in heard if isinstance(event, events.Inspected)]
    assert [event.iteration for event in told] == [0, 0, 1, 1]
    kinds_told = [{line.split()[0] for line in event.lines} for event in told[:2]]
    assert kinds_told == [{"[Forward]", "[Backward]"}, {"[Update]"}]


def test_a_snapshot_can_be_asked_for(tmp_path: Path) -> None:
    heard: list[events.Event] = []
    trainer = trainer_of(tmp_path, heard, max_iter=6, display=1, snapshot_after_train=False)

    def ask(event: events.Event) -> None:
        if isinstance(event, events.Iterated) and event.iteration == 2:
            trainer.request_snapshot()

    trainer.listeners = (*trainer.listeners, ask)
    trainer.run()
    assert [e.iteration for e in heard if isinstance(e, events.Snapshotted)] == [3]


def test_the_whole_loss_of_a_test_is_told_where_it_is_asked_for(tmp_path: Path) -> None:
    """Also of a loss that is no output of the net."""
    silent = NET + 'layer { name: "quiet" type: "Silence" bottom: "loss" }'
    for net, outputs in ((NET, 1), (silent, 0)):
        heard: list[events.Event] = []
        trainer = trainer_of(
            tmp_path, heard, net, max_iter=2, test_interval=2, test_compute_loss=True
        )
        trainer.run()
        first = next(event for event in heard if isinstance(event, events.Tested))
        assert len(first.outputs) == outputs
        assert first.loss is not None
        assert first.loss > 0
        if outputs:
            assert first.loss == pytest.approx(first.outputs[0].value, rel=1e-6)
    heard = []
    trainer_of(tmp_path, heard, max_iter=2, test_interval=2).run()
    assert [event.loss for event in heard if isinstance(event, events.Tested)] == [None, None]


@pytest.mark.parametrize("every", [3, 4, 0])
def test_a_stop_ends_a_test_which_the_resumed_training_makes_whole(
    tmp_path: Path, every: int
) -> None:
    """Where snapshots come with tests, that of this iteration is older than the test; else it is
    made after it, and must hold the test nets as they were before.
    """
    plain: list[events.Event] = []
    trainer_of(tmp_path / "a", plain, test_interval=3, snapshot=every).run()

    heard: list[events.Event] = []
    trainer = trainer_of(tmp_path / "b", heard, test_interval=3, snapshot=every)
    test_net = trainer.tests[0][0]
    forward, passes = test_net.forward, []

    def stop_in_the_second_test() -> None:
        passes.append(trainer.iteration)
        if passes.count(3) == 1:
            trainer.stop()
        forward()

    test_net.forward = stop_in_the_second_test
    result = trainer.run()
    assert (result.iteration, result.interrupted) == (3, True)
    assert passes == [0, 0, 3]
    assert [e.iteration for e in heard if isinstance(e, events.Tested)] == [0]

    again = trainer_of(tmp_path / "b", heard, test_interval=3, snapshot=every)
    again.restore(tmp_path / "b" / "s_iter_3.solverstate")
    again.run()
    tests = [[e for e in each if isinstance(e, events.Tested)] for each in (plain, heard)]
    assert tests[0] == tests[1]


def test_a_log_that_cannot_be_written_ends_a_training_with_a_snapshot(tmp_path: Path) -> None:
    """The iteration is made whole first: going on from there ends with the same bits."""
    whole = trainer_of(tmp_path / "whole", max_iter=8)
    whole.run()

    def listen(event: events.Event) -> None:
        if isinstance(event, events.Iterated) and event.iteration == 4:
            raise FormatError("train.log: cannot be written: No space left on device")

    trainer = trainer_of(tmp_path / "cut", max_iter=8, display=2)
    trainer.listeners = (listen,)
    with pytest.raises(FormatError, match=r"train\.log: cannot be written"):
        trainer.run()
    again = trainer_of(tmp_path / "cut", max_iter=8, display=2)
    again.restore(tmp_path / "cut" / "s_iter_5.solverstate")
    again.run()
    np.testing.assert_array_equal(again.net.store.data, whole.net.store.data)


def test_a_log_that_cannot_be_begun_leaves_no_snapshot(tmp_path: Path) -> None:
    trainer = trainer_of(tmp_path)
    trainer.listeners = (CaffeLog(Path("/dev/full")),)
    with pytest.raises(FormatError, match="/dev/full: cannot be written: No space left on device"):
        trainer.run()
    assert not list(tmp_path.iterdir())


def test_a_forks_training_is_met_with_its_gradient_of_normalize(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The fork leaves the scales out of the sum over channels. Ours does not, as the layer's page
    tells; with that alone undone, the whole recording is met.
    """

    def theirs(
        layer: Normalize,
        dtops: Sequence[Any],
        bottoms: Sequence[Any],
        tops: Sequence[Any],
        dbottoms: Sequence[Any],
    ) -> None:
        ours(layer, dtops, bottoms, tops, [None])
        x, dy, scale = bottoms[0], dtops[0], layer.params[0].data.reshape(-1, 1, 1)
        norm = np.sqrt((x * x).sum(axis=1, keepdims=True) + layer.eps)
        mixed = x * (x * dy).sum(axis=1, keepdims=True) / norm**2
        dbottoms[0][...] = scale * (dy - mixed) / norm

    folder = FORKS.parent / "quirks" / "solvers" / "detector_normalize_channels"
    solver = read_solver(Source.read(folder / "solver.prototxt"))
    data = np.load(folder / "data.npz")
    ours = Normalize.backward
    monkeypatch.setattr(Normalize, "backward", theirs)
    net = Net(plan_net(read_net(Source.read(folder / "net.prototxt")), phase=0), Device("cpu"))
    weights = {
        layer: [data[f"param0/{layer}/{i}"] for i in range(len(params))]
        for layer, params in net.params.items()
    }
    net.load(weights, folder.name)
    train_with(Trainer(solver, net, snapshots=Snapshots(tmp_path / "snap")), data, 0, 8)
