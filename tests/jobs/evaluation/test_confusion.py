"""What a net takes images of known class for."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from protonet.errors import UsageError
from protonet.jobs.evaluation.confusion import Report


def report(count: int = 3) -> Report:
    found = Report(count)
    for truth, ranked in ((0, [0, 1]), (0, [1, 0]), (0, [1, 2]), (2, [1, 2]), (2, [2, 0])):
        found.add(truth, ranked)
    return found


def test_how_many_are_right() -> None:
    found = report()
    assert found.confusion.tolist() == [[1, 2, 0], [0, 0, 0], [0, 1, 1]]
    assert (found.images, found.right(), found.right(2), found.right(5)) == (5, 2, 4, 4)
    assert found.mistakes(9) == [(0, 1, 2), (2, 1, 1)]
    assert found.mistakes(1) == [(0, 1, 2)]
    assert Report(3).images == 0


@pytest.mark.parametrize("count", [3, 25, 90])
def test_the_matrix_is_drawn(count: int, tmp_path: Path) -> None:
    path = tmp_path / "c.png"
    report(count).draw(path, [f"class {'long' * 9} {i}" for i in range(count)])
    with Image.open(path) as image:
        assert min(image.size) > 500
        # Shares of a third and two thirds are two blues, besides white and the darkest.
        blues = {color for _, color in image.convert("RGB").getcolors(2**24) if color[2] > color[0]}
    assert len(blues) > 3
    with pytest.raises(UsageError, match=r"c\.gif: expected a picture of kind png, svg, pdf"):
        report().draw(tmp_path / "c.gif", ["a", "b", "c"])
