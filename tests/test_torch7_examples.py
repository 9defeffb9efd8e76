"""The examples in Lua: each is trained for a few iterations, from its text."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from protonet.cli.app import app
from protonet.data.create import create_gradients
from protonet.data.datum import make_datum
from protonet.data.writer import DatabaseWriter
from protonet.errors import DataError, UsageError
from protonet.formats.caffemodel import read_weights
from protonet.jobs.run.directory import RunDirectory
from protonet.train.listeners import read_metrics

EXAMPLES = Path(__file__).parents[1] / "examples" / "torch7"
SMALL = {
    "lenet": (1, 28, 28),
    "residual": (1, 28, 28),
    "siamese": (2, 28, 28),
    "text": (1, 1, 96),
}
LARGE = {"alexnet": (3, 227, 227), "googlenet": (3, 224, 224)}
SHAPES = {**SMALL, **LARGE, "segmentation": (1, 16, 12), "fine_tuning": (1, 28, 28)}
OTHERS = ("gradients", "segmentation", "fine_tuning")


def write(path: Path, images: Sequence[np.ndarray], labels: Sequence[int] | None = None) -> Path:
    with DatabaseWriter(path) as database:
        for index, image in enumerate(images):
            label = None if labels is None else labels[index]
            database.put(f"{index:04}".encode(), make_datum(image, label=label))
    return path


def trained(name: str, out: Path, *arguments: str) -> list[float]:
    """The losses of a training."""
    text = str(EXAMPLES / name / "net.lua")
    command = ["train", text, "--mean", "none", "--out", str(out), *arguments]
    outcome = CliRunner().invoke(app, command, catch_exceptions=False)
    assert outcome.exit_code == 0, outcome.output
    rows = read_metrics(RunDirectory(out).metrics)
    found = [row["loss"] for row in rows if row["event"] == "iterated"]
    assert np.isfinite(found).all()
    return found


def images_of(name: str, count: int) -> list[np.ndarray]:
    generator = np.random.default_rng(0)
    top = 72 if name == "text" else 256
    return [generator.integers(1, top, SHAPES[name], np.uint8) for _ in range(count)]


def test_every_example_is_trained_and_has_a_readme() -> None:
    names = {path.name for path in EXAMPLES.iterdir()}
    assert names == {*SMALL, *LARGE, *OTHERS}
    assert all((EXAMPLES / name / "README.md").exists() for name in names)


@pytest.mark.parametrize("name", sorted(path.name for path in EXAMPLES.iterdir()))
def test_the_commands_of_a_readme_can_be_typed(name: str, tmp_path: Path) -> None:
    """They go wrong for the reason alone that there are no such files."""
    text = (EXAMPLES / name / "README.md").read_text()
    commands = re.findall(r"protonet (train net\.lua [^\n`]+)", text)
    assert commands
    for command in commands:
        command = command.replace("net.lua", str(EXAMPLES / name / "net.lua"))
        outcome = CliRunner().invoke(app, [*command.split(), "--out", str(tmp_path / "run")])
        assert isinstance(outcome.exception, DataError | UsageError)
        assert re.search("no such (database|file)", str(outcome.exception))


@pytest.mark.parametrize("name", sorted(SMALL))
def test_a_small_one_learns_its_images(name: str, tmp_path: Path) -> None:
    db = write(tmp_path / "db", images_of(name, 8), [0, 1] * 4)
    losses = trained(
        name, tmp_path / "run", "--data", str(db), "--val-data", str(db), "--batch-size", "4",
        "--epochs", "12", "--lr", "0.01",
    )  # fmt: skip
    assert min(losses[-4:]) < losses[0]
    text = (EXAMPLES / name / "net.lua").read_text()
    assert (tmp_path / "run" / "original.lua").read_text() == text


@pytest.mark.long
@pytest.mark.parametrize(("name", "weights"), [("alexnet", 1.0), ("googlenet", 1.3)])
def test_a_large_one_begins_at_chance(name: str, weights: float, tmp_path: Path) -> None:
    db = write(tmp_path / "db", images_of(name, 4), [0, 1, 2, 3])
    losses = trained(
        name, tmp_path / "run", "--data", str(db), "--batch-size", "2", "--epochs", "1",
        "--lr", "0.001", "--snapshot-every", "0",
    )  # fmt: skip
    assert losses[0] == pytest.approx(weights * math.log(4), rel=0.6)


def test_both_branches_of_the_siamese_net_are_one(tmp_path: Path) -> None:
    db = write(tmp_path / "db", images_of("siamese", 4), [0, 1] * 2)
    trained("siamese", tmp_path / "run", "--data", str(db), "--batch-size", "4", "--epochs", "2")
    run = RunDirectory(tmp_path / "run")
    weights = read_weights(run.snapshots().model(2))
    named = [name for name in weights if weights[name]]
    half = len(named) // 2
    for left, right in zip(named[:half], named[half:], strict=True):
        for one, other in zip(weights[left], weights[right], strict=True):
            np.testing.assert_array_equal(one, other)


def test_the_segmentation_learns_a_class_for_each_pixel(tmp_path: Path) -> None:
    images = images_of("segmentation", 4)
    data = write(tmp_path / "data", images)
    labels = write(tmp_path / "labels", [(each // 100).astype(np.uint8) for each in images])
    losses = trained(
        "segmentation", tmp_path / "run", "--data", str(data), "--labels", str(labels),
        "--batch-size", "2", "--epochs", "20", "--lr", "0.01",
    )  # fmt: skip
    assert losses[-1] < losses[0]


def test_the_net_of_the_seed_document_learns(tmp_path: Path) -> None:
    create_gradients(tmp_path / "data", count=40, val_count=2, width=8, height=7)
    losses = trained(
        "gradients", tmp_path / "run", "--data", str(tmp_path / "data" / "train_images"),
        "--labels", str(tmp_path / "data" / "train_labels"), "--epochs", "10", "--lr", "0.01",
    )  # fmt: skip
    assert losses[-1] < 0.5 * losses[0]


def test_fine_tuning_keeps_the_convolutions_and_learns_other_classes(tmp_path: Path) -> None:
    images = images_of("fine_tuning", 10)
    ten = write(tmp_path / "ten", images, list(range(10)))
    two = write(tmp_path / "two", images, [digit % 2 for digit in range(10)])
    common = ("--batch-size", "5", "--lr", "0.01")
    trained("fine_tuning", tmp_path / "a", "--data", str(ten), "--epochs", "2", *common)
    before = RunDirectory(tmp_path / "a").snapshots().model(4)
    losses = trained(
        "fine_tuning", tmp_path / "b", "--data", str(two), "--epochs", "20",
        "--weights", str(before), *common,
    )  # fmt: skip
    assert losses[-1] < losses[0] < 1.5
    old, new = (
        read_weights(path) for path in (before, RunDirectory(tmp_path / "b").snapshots().model(40))
    )
    kept = {name: all(map(np.array_equal, old[name], new[name])) for name in old if old[name]}
    assert [name for name, same in kept.items() if same] == [
        "SpatialConvolution1",
        "SpatialConvolution2",
    ]
    assert [each.shape for each in new["Linear2"]] == [(2, 500), (2,)]
