"""Trainings that Torch7 itself made, once more: from the definition alone, with its seed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from protonet.formats.caffemodel import read_weights
from protonet.jobs.reading.network import read_definition, shapes_of
from protonet.jobs.run.directory import RunDirectory
from protonet.jobs.run.settings import RunSettings
from protonet.jobs.training.join import Outcome
from protonet.jobs.training.resume import ResumeOptions, resume
from protonet.jobs.training.start import start
from protonet.proto.source import Source
from protonet.torch7 import load
from protonet.torch7.api import TorchModule
from protonet.train.events import Event, Iterated
from protonet.train.trainer import Trainer

TESTS = Path(__file__).parents[1]
TRAININGS = TESTS / "golden_torch7" / "trainings"
DATA = TESTS / "golden"
SETTINGS: dict[str, dict[str, Any]] = {
    "regression": {
        "data": DATA / "regression/train_images",
        "labels": DATA / "regression/train_labels",
        "mean": str(DATA / "regression/train_mean.binaryproto"),
        "batch_size": 10,
        "epochs": 30,
        "lr": 0.01,
    },
    "digits": {
        "data": DATA / "digits/train_db",
        "mean": "none",
        "epochs": 6,
        "lr": 0.1,
        "weight_decay": 0.0005,
    },
}
TOLERANCE = 1e-3


@dataclass
class Losses:
    """Remembers the loss of each iteration."""

    values: list[float]

    def __call__(self, event: Event) -> None:
        if isinstance(event, Iterated):
            self.values.append(event.loss)

    def watch(self, trainer: Trainer) -> None:
        trainer.solver.display = 1


def train(case: str, folder: Path, losses: Losses, **more: Any) -> Outcome:
    settings = RunSettings(**{**SETTINGS[case], "seed": 42, "out": folder, **more})
    pasted = read_definition(Source.read(str(TRAININGS / case / "net.lua")), shapes_of(settings))
    return start(pasted, settings, listeners=[losses], on_trainer=losses.watch)


def trained(case: str, run: RunDirectory, probe: np.ndarray) -> TorchModule:
    """The definition's model with the weights of the newest snapshot."""
    model = load(TRAININGS / case / "net.lua", input_shapes=[probe.shape], phase="evaluate")
    (newest,) = run.path.glob(f"snapshot_iter_{run.record().iteration}.caffemodel")
    model._net.load(read_weights(newest), str(newest))
    return model


@pytest.mark.parametrize("case", SETTINGS)
def test_losses_and_weights_are_those_of_torch7(case: str, tmp_path: Path) -> None:
    golden, losses = np.load(TRAININGS / case / "data.npz"), Losses([])
    outcome = train(case, tmp_path / "run", losses)
    np.testing.assert_allclose(losses.values, golden["losses"], rtol=TOLERANCE, atol=1e-6)
    probe = golden["probe"]
    model = trained(case, outcome.run, probe)
    final = golden["final"]
    assert np.abs(model.flat() - final).max() <= TOLERANCE * np.abs(final).max()
    output = model.forward(probe)
    expected = golden["probe_output"][: output.size].reshape(output.shape)  # the rest is behind it
    assert np.abs(output - expected).max() <= TOLERANCE * np.abs(expected).max()


@pytest.mark.parametrize("case", SETTINGS)
def test_initial_weights_are_those_of_torch7(case: str) -> None:
    golden = np.load(TRAININGS / case / "data.npz")
    model = load(TRAININGS / case / "net.lua", input_shapes=[golden["probe"].shape], seed=42)
    np.testing.assert_array_equal(model.flat(), golden["init"])


def test_a_run_goes_on_to_the_bit(tmp_path: Path) -> None:
    """Stopped before the smaller batch of an epoch, and in the middle of one."""
    whole = train("digits", tmp_path / "whole", Losses([]), epochs=3, shuffle=True)
    for stop in (46, 60):

        def watch(trainer: Trainer, stop: int = stop) -> None:
            trainer.callbacks.append(
                (lambda: None, lambda: trainer.stop() if trainer.iteration == stop - 1 else None)
            )

        settings = RunSettings(
            **{**SETTINGS["digits"], "seed": 42, "out": tmp_path / f"{stop}", "epochs": 3},
            shuffle=True,
        )
        source = Source.read(str(TRAININGS / "digits" / "net.lua"))
        part = start(read_definition(source, shapes_of(settings)), settings, on_trainer=watch)
        assert (part.result.iteration, part.result.interrupted) == (stop, True)
        rest = resume(part.run.path, ResumeOptions())
        assert rest.result.iteration == whole.result.iteration == 141
        one, other = (
            read_weights(each.run.path / "snapshot_iter_141.caffemodel") for each in (whole, rest)
        )
        for name, arrays in one.items():
            for ours, theirs in zip(arrays, other[name], strict=True):
                np.testing.assert_array_equal(ours, theirs)
