"""Window files: what is read, and how every wrong word is named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from protonet.data.windows import read_windows
from protonet.errors import DataError

TEXT = """# 0
a.png
3
20
30
4
2 0.9 1 2 11 12
1 0.5 0 0 5 5
7 0.3 3 3 9 9
4 0.05 2 1 8 7
# 1
b.png
3 10 10
0
# 2
c.png 3 8 9 1
5 1 0 0 7 7
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "windows.txt"
    path.write_text(text)
    return path


def test_objects_background_and_what_is_neither(tmp_path: Path) -> None:
    windows = read_windows(write(tmp_path, TEXT), 0.5, 0.1)
    assert windows.images == ["a.png", "b.png", "c.png"]
    np.testing.assert_array_equal(
        windows.foreground,
        [[0, 2, 1, 2, 11, 12, 7], [0, 1, 0, 0, 5, 5, 8], [2, 5, 0, 0, 7, 7, 17]],
    )
    np.testing.assert_array_equal(windows.background, [[0, 0, 2, 1, 8, 7, 10]])


def test_thresholds_are_compared_in_float32(tmp_path: Path) -> None:
    """0.3 as a float64 lies above the same number of the file read as float32."""
    text = TEXT.replace("0.9", "0.7")
    float32 = float(np.float32(0.7))
    assert float32 < 0.7
    assert len(read_windows(write(tmp_path, text), float32, 0.1).foreground) == 2
    assert len(read_windows(write(tmp_path, text), 0.7, 0.1).foreground) == 2


def test_no_windows_of_a_kind(tmp_path: Path) -> None:
    windows = read_windows(write(tmp_path, TEXT), 2.0, 0.0)
    assert windows.foreground.shape == windows.background.shape == (0, 7)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (TEXT, "", ": names no image"),
        (TEXT, " \n\n", ": names no image"),
        ("# 0\n", "a.png\n", ":1: expected '# 0' and the next image, got 'a.png a.png'"),
        ("# 2", "# 3", ":15: expected '# 2' and the next image, got '# 3'; is the number of win"),
        ("\n4\n", "\n3\n", ":10: expected '# 1' and the next image, got '4 0.05'; is the number"),
        ("\n4\n", "\n5\n", ":11: expected class overlap x1 y1 x2 y2, got '#'"),
        ("\n3\n", "\n1\n", ":3: expected 3 channels, got '1': images are read in colour"),
        ("\n20\n", "\nx\n", ":4: expected a whole number as height, got 'x'"),
        ("3 10 10", "3 10 -1", ":13: expected a whole number as width, got '-1'"),
        ("\n0\n", "\n1.5\n", ":14: expected a whole number as the number of windows, got '1.5'"),
        ("0.3 3", "0.3 3x", ":9: expected class overlap x1 y1 x2 y2, got '3x'"),
        (
            "0.3 3",
            "0.3 3.5",
            ":9: expected class overlap x1 y1 x2 y2, whole numbers but for the overlap, got "
            "'7 0.3 3.5 3 9 9'",
        ),
        ("0.9", "nan", ":7: expected class overlap x1 y1 x2 y2, whole numbers but"),
        ("11 12", "11 9999999999", ":7: expected class overlap x1 y1 x2 y2, whole numbers but"),
        ("0 0 5 5", "6 0 5 5", ":8: the window 6 0 5 5 is empty"),
        ("1 0.5", "0 0.5", ":8: a window of class 0 reaches fg_threshold, but objects have"),
        (" 7 7\n", "", ":17: the file ends, but expected 1 windows: class overlap x1 y1 x2 y2"),
        (
            "1\n5 1 0 0 7 7\n",
            "",
            ":16: the file ends, but expected height, width and the number of windows",
        ),
        (
            "c.png 3 8 9 1\n5 1 0 0 7 7\n",
            "c.png",
            ":16: the file ends, but expected # index path channels height width number",
        ),
    ],
)
def test_what_is_refused(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in TEXT
    with pytest.raises(DataError) as caught:
        read_windows(write(tmp_path, TEXT.replace(old, new, 1)), 0.5, 0.1)
    assert f"{tmp_path}/windows.txt{message}" in str(caught.value)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="absent: cannot be read: No such file"):
        read_windows(tmp_path / "absent", 0.5, 0.5)
    (tmp_path / "picture").write_bytes(b"\x89PNG\xff")
    with pytest.raises(DataError, match="picture: is not a window file: it is not text"):
        read_windows(tmp_path / "picture", 0.5, 0.5)
