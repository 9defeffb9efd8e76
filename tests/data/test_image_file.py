"""Image files in the shape of a net, and what they show."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from google.protobuf import text_format
from PIL import Image

from protonet.data.image_file import load_image, shown_window
from protonet.data.transform import Transformer
from protonet.errors import DataError
from protonet.proto.caffe_pb2 import TEST, TransformationParameter


def transformer(shape: tuple[int, int, int], crop: int = 0) -> Transformer:
    return Transformer(TransformationParameter(crop_size=crop), TEST, shape)


def test_an_image_of_another_size(tmp_path: Path) -> None:
    Image.new("RGB", (6, 4), (1, 2, 3)).save(tmp_path / "a.png")
    loaded = load_image(tmp_path / "a.png", transformer((3, 8, 10)), None, "squash")
    assert (loaded.size, loaded.pixels.shape) == ((4, 6), (3, 8, 10))
    assert loaded.note == "resized from 6x4 to 10x8"
    assert loaded.pixels[:, 0, 0].tolist() == [3, 2, 1]
    same = load_image(tmp_path / "a.png", transformer((3, 4, 6)), (2, 1, 0), "squash")
    assert (same.note, same.pixels[:, 0, 0].tolist()) == ("", [1, 2, 3])
    with pytest.raises(DataError, match=r"none.png: cannot be read: No such file"):
        load_image(tmp_path / "none.png", transformer((3, 4, 6)), None, "squash")


@pytest.mark.parametrize(
    ("size", "shape", "cropped", "how", "window"),
    [
        ((50, 70), (3, 24, 32), (3, 0, 0), "squash", [0, 0, 1, 1]),
        ((50, 70), (3, 20, 40), (3, 10, 10), "squash", [15 / 40, 5 / 20, 25 / 40, 15 / 20]),
        ((40, 80), (3, 20, 20), (3, 20, 20), "crop", [0.25, 0, 0.75, 1]),
        ((40, 80), (3, 20, 20), (3, 10, 10), "crop", [0.375, 0.25, 0.625, 0.75]),
        ((40, 80), (3, 20, 20), (3, 20, 20), "fill", [0, -0.5, 1, 1.5]),
    ],
)
def test_what_a_net_sees_of_an_image(
    size: tuple[int, int],
    shape: tuple[int, int, int],
    cropped: tuple[int, int, int],
    how: str,
    window: list[float],
) -> None:
    np.testing.assert_allclose(shown_window(size, transformer(shape, cropped[1]), how), window)


@pytest.mark.parametrize(
    ("mode", "window"),
    [("WARP", [0, 0, 1, 1]), ("FIT_LARGE_SIZE_AND_PAD", [0, -0.5, 1, 1.5])],
)
def test_what_a_net_sees_where_its_transformer_resizes(
    tmp_path: Path, mode: str, window: list[float]
) -> None:
    param = TransformationParameter()
    resized = f"resize_param {{ resize_mode: {mode} height: 20 width: 20 interp_mode: LINEAR }}"
    text_format.Parse(resized, param)
    resizing = Transformer(param, TEST, (3, 8, 10))
    np.testing.assert_allclose(shown_window((40, 80), resizing, "crop"), window)
    Image.new("RGB", (80, 40)).save(tmp_path / "a.png")
    loaded = load_image(tmp_path / "a.png", resizing, None, "crop")
    assert loaded.pixels.shape == (3, 40, 80)
    assert loaded.note == "resized from 80x40 to 20x20"
