"""augment, run in this process."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from PIL import Image

from protonet.cli.app import app
from protonet.data.augmented_images import augmented_images
from protonet.data.shapes import create_shapes
from protonet.errors import ProtonetError
from protonet.jobs.detection.sheets import sheet
from tests.data.test_augmented_images import SSD, parsed


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["augment", *arguments])


@pytest.fixture
def shapes(tmp_path: Path) -> Path:
    create_shapes(tmp_path / "set", 48, 32, 2, 3, seed=1)
    return tmp_path / "set"


def test_a_picture_for_each_image(
    shapes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ssd.prototxt").write_text(SSD)
    data = shapes / "val_images"
    found = run("ssd.prototxt", "--data", str(data), "--count", "2", "--variants", "3",
                "--side", "90", "--seed", "5")  # fmt: skip
    assert found.exit_code == 0, found.output
    lines = found.stdout.splitlines()
    assert [line.split(":")[0] for line in lines] == ["augmented/0001.png", "augmented/0002.png"]
    first = next(augmented_images(parsed(SSD), data, variants=3, seed=5))
    assert lines[0].endswith(first.key.decode())
    names = ["background", "circle", "square", "triangle"]
    assert (tmp_path / "augmented" / "0001.png").read_bytes() == sheet(first, names, 90)
    with Image.open(tmp_path / "augmented" / "0002.png") as picture:
        assert picture.width == 4 * 90 + 3 * 8


def test_a_network_that_changes_nothing(shapes: Path, tmp_path: Path) -> None:
    (tmp_path / "net.prototxt").write_text('layer { name: "x" type: "Input" top: "x" }')
    words = [
        str(tmp_path / "net.prototxt"),
        str(tmp_path / "out"),
        "--data",
        str(shapes / "val_images"),
    ]
    refused = run(*words)
    assert isinstance(refused.exception, ProtonetError)
    assert "no data layer" in str(refused.exception)
    assert not (tmp_path / "out").exists()
