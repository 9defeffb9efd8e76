"""Images with boxes."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from protonet.errors import DataError
from protonet.jobs.detection.detector import Detection
from protonet.jobs.detection.pictures import color_of, draw_boxes


def test_a_box_in_the_color_of_its_class(tmp_path: Path) -> None:
    Image.new("L", (600, 500), 128).save(tmp_path / "a.png")
    found = [Detection(2, "square", 0.75, (100, 200, 300, 400))]
    with Image.open(io.BytesIO(draw_boxes(tmp_path / "a.png", found))) as picture:
        assert (picture.format, picture.mode, picture.size) == ("PNG", "RGB", (600, 500))
        pixels = np.asarray(picture)
    color = [int(color_of(2)[at : at + 2], 16) for at in (1, 3, 5)]
    assert pixels[399, 200].tolist() == pixels[300, 100].tolist() == color
    assert pixels[300, 299].tolist() == color
    assert pixels[300, 300].tolist() == pixels[300, 200].tolist() == [128, 128, 128]
    assert pixels[190, 104].tolist() != [128, 128, 128]  # the label, above the box


def test_small_images_are_enlarged(tmp_path: Path) -> None:
    Image.new("RGB", (64, 48)).save(tmp_path / "a.png")
    found = [Detection(1, "circle", 0.5, (0, 0, 64, 48)), Detection(3, "", 0.4, (60, 40, 64, 48))]
    with Image.open(io.BytesIO(draw_boxes(tmp_path / "a.png", found))) as picture:
        assert picture.size == (64 * 9, 48 * 9)


def test_a_file_that_is_no_image(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_text("x")
    with pytest.raises(DataError, match=r"a.png: cannot be drawn on"):
        draw_boxes(tmp_path / "a.png", [])


def test_colors_differ_and_bear_white_text() -> None:
    colors = [color_of(label) for label in range(30)]
    assert len(set(colors)) == 30
    for color in colors:
        levels = [int(color[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        linear = [x / 12.92 if x <= 0.04045 else ((x + 0.055) / 1.055) ** 2.4 for x in levels]
        luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
        assert 1.05 / (luminance + 0.05) >= 4.5
