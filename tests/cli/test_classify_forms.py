"""A model of Torch7 is classified with like others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from protonet.torch7 import serial
from protonet.torch7.objects import Tensor
from tests.torch7.trees import call, nn, sequential


def test_classes_of_a_model_of_torch(protonet: Any, tmp_path: Path) -> None:
    linear = nn("Linear", 12, 2)
    weight = np.zeros((2, 12))
    weight[0, :4], weight[1, 8:] = 0.01, 0.01  # the sums of red and of blue
    linear.fields["weight"], linear.fields["bias"] = Tensor.of(weight), Tensor.of(np.zeros(2))
    view = call(nn("View", -1), "setNumInputDims", 3)
    serial.save(tmp_path / "m.t7", sequential(view, linear))
    Image.new("RGB", (2, 2), (255, 0, 10)).save(tmp_path / "red.png")
    (tmp_path / "labels.txt").write_text("warm\ncold\n")
    for shape in ([], ["--input-shape", "3x2x2"]):
        found = protonet("classify", "m.t7", "red.png", "--labels", "labels.txt", *shape)
        assert found.returncode == 0, found.stderr
        assert found.stdout.splitlines()[1].split(" - ")[1] == '"warm"'
    swapped = protonet(
        "classify", "m.t7", "red.png", "--labels", "labels.txt", "--channel-swap", "2,1,0"
    )
    assert swapped.stdout.splitlines()[1].split(" - ")[1] == '"cold"'


def test_the_shape_of_images(protonet: Any, tmp_path: Path) -> None:
    found = protonet("classify", "a", "b.png", "--input-shape", "3x2x2", "--weights", "c")
    assert found.returncode == 2
    assert "a: cannot be read" in found.stderr
    found = protonet("classify", "a", "b.png", "--input-shape", "3x2")
    assert "expected channels, height and width such as 3x224x224" in found.stderr
