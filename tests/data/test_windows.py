"""Window files, and how windows are cut."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from protonet.data.datum import encode_image
from protonet.data.resize import resize
from protonet.data.windows import Window, WindowImages, cut, read_windows
from protonet.errors import DataError

TEXT = """
# 0
a.png
3
10 12
2
4 0.75 1 2 5 8
4 0.25 0 0 3 3
# 1
b.png
3
6 7
1
2 1 0 0 6 5
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "windows.txt").write_text(TEXT)
    return tmp_path / "windows.txt"


def test_what_a_file_lists(path: Path) -> None:
    file = read_windows(path)
    assert file.files == ("a.png", "b.png")
    assert file.channels == 3
    assert file.windows == (
        Window(0, 4, 0.75, 1, 2, 5, 8),
        Window(0, 4, 0.25, 0, 0, 3, 3),
        Window(1, 2, 1.0, 0, 0, 6, 5),
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "names no window"),
        ("a.png 1", "is no window file: at image -1: expected '# 0'"),
        (TEXT.replace("# 1", "# 7"), "at image 0: expected '# 1'"),
        (TEXT[:-5], "at image 1: is cut short"),
        (TEXT.replace("0.75", "much"), "at image 0: could not convert string to float: 'much'"),
        (TEXT.replace("b.png\n3", "b.png\n1"), r"expected one number of channels, got \[1, 3\]"),
    ],
)
def test_files_that_cannot_be(path: Path, text: str, message: str) -> None:
    path.write_text(text)
    with pytest.raises(DataError, match=message):
        read_windows(path)
    path.unlink()
    with pytest.raises(DataError, match="cannot be read as a window file"):
        read_windows(path)


def test_images_are_found_and_kept(path: Path) -> None:
    image = np.random.default_rng(0).integers(0, 256, (3, 10, 12), np.uint8)
    (path.parent / "a.png").write_bytes(encode_image(image))
    images = WindowImages(read_windows(path), keep=True)
    np.testing.assert_array_equal(images.read(0), image)
    (path.parent / "a.png").unlink()
    np.testing.assert_array_equal(images.read(0), image)
    with pytest.raises(DataError, match=r"windows\.txt: image 1: b\.png: cannot be read"):
        images.read(1)
    with pytest.raises(DataError, match=r"nowhere/b\.png: cannot be read"):
        WindowImages(read_windows(path), root="nowhere/").read(1)


IMAGE = np.random.default_rng(0).integers(0, 256, (3, 20, 24), np.uint8)


def test_a_plain_window_fills_the_input() -> None:
    part, top, left = cut(IMAGE, Window(0, 1, 1, 2, 3, 9, 14), 6, pad=0, square=False, mirror=False)
    np.testing.assert_array_equal(part, resize(IMAGE[:, 3:15, 2:10], 6, 6))
    assert (top, left) == (0, 0)
    mirrored, *_ = cut(IMAGE, Window(0, 1, 1, 2, 3, 9, 14), 6, pad=0, square=False, mirror=True)
    np.testing.assert_array_equal(mirrored, part[:, :, ::-1])


def test_context_widens_the_window() -> None:
    """Size 8 with 2 pixels on each side: the window is half of what is seen."""
    window = Window(0, 1, 1, 8, 8, 11, 11)
    part, top, left = cut(IMAGE, window, 8, pad=2, square=False, mirror=False)
    # From 10 - 2 * 2 to 10 + 2 * 2, both pixels included.
    np.testing.assert_array_equal(part, resize(IMAGE[:, 6:15, 6:15], 8, 8))
    assert (top, left) == (0, 0)


def test_what_lies_outside_is_left_out() -> None:
    """In the corner: a ninth of what would be seen is 2 of 9 rows and columns off the image."""
    window = Window(0, 1, 1, 0, 0, 3, 3)
    part, top, left = cut(IMAGE, window, 8, pad=2, square=False, mirror=False)
    assert (top, left) == (2, 2)
    assert part.shape == (3, 6, 6)
    part, top, left = cut(IMAGE, window, 8, pad=2, square=False, mirror=True)
    assert (top, left) == (2, 0)
    assert part.shape == (3, 6, 6)


def test_square_takes_the_longer_side() -> None:
    window = Window(0, 1, 1, 8, 4, 9, 11)
    part, top, left = cut(IMAGE, window, 4, pad=0, square=True, mirror=False)
    np.testing.assert_array_equal(part, resize(IMAGE[:, 4:13, 5:14], 4, 4))
    assert (top, left) == (0, 0)
