"""The examples of segmentation learn what they promise, from the commands of their page."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from protonet.cli.app import app
from protonet.train.listeners import read_metrics

EXAMPLE = Path(__file__).parents[1] / "examples" / "prototxt" / "segments"
COMMANDS = re.findall(r"^ *protonet (.*)$", (EXAMPLE / "README.md").read_text(), re.MULTILINE)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data set of the page, in a folder with the networks."""
    folder = tmp_path_factory.mktemp("segments")
    for path in EXAMPLE.glob("*.prototxt"):
        (folder / path.name).write_text(path.read_text())
    run(folder, COMMANDS[0])
    return folder


def run(folder: Path, command: str, *more: str) -> str:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        outcome = CliRunner().invoke(app, [*shlex.split(command), *more], catch_exceptions=False)
    assert outcome.exit_code == 0, outcome.output
    return outcome.output


@pytest.mark.long
@pytest.mark.parametrize(("name", "epochs"), [("u_net", 2), ("fcn", 3)])
def test_an_example_learns_to_a_mean_iou_above_0_9(folder: Path, name: str, epochs: int) -> None:
    """In fewer epochs than on the page, of more iterations, to save time."""
    (command,) = (each for each in COMMANDS if f"train {name}.prototxt" in each)
    shorter = ("--epochs", str(epochs), "--val-every", str(epochs), "--batch-size", "5")
    run(folder, command, *shorter, "--out", name)
    tested = [
        line for line in read_metrics(folder / name / "metrics.jsonl") if line["event"] == "tested"
    ]
    assert tested[0]["outputs"]["mean_iou"] < 0.5
    assert tested[-1]["outputs"]["mean_iou"] > 0.9
    assert tested[-1]["outputs"]["pixel_accuracy"] > 0.98
    shown = run(folder, f"test {name}")
    assert float(re.findall(r"mean IoU = ([\d.]+)%", shown)[0]) > 90
    assert re.search(r"^circle +\d", shown, re.MULTILINE)
    answer = run(folder, f"infer {name} data/test0.png --picture {name}_pictures")
    assert re.search(r"\d\.\d\d%  background", answer)
    with (
        Image.open(folder / f"{name}_pictures" / "test0_labels.png") as found,
        Image.open(folder / "data" / "test0_labels.png") as truth,
    ):
        assert (np.asarray(found) == np.asarray(truth)).mean() > 0.95
        assert found.getpalette() == truth.getpalette()
