"""The chart of classes."""

from __future__ import annotations

from protonet.web.datasets.explore import ClassShare, PartShares
from protonet.web.page.datasets.shares import shares_chart


def test_percentages_of_each_part() -> None:
    train = PartShares(
        "train", 8, (ClassShare(0, "cat", "#1", 2, 2), ClassShare(4, "dog", "#2", 8, 9))
    )
    val = PartShares("val", 3, (ClassShare(4, "dog", "#2", 1, 1),))
    chart = shares_chart([train, val])
    assert chart["xAxis"]["data"] == ["cat", "dog"]
    told = {each["name"]: each["data"] for each in chart["series"]}
    assert told == {"training": [25.0, 100.0], "validation": [0.0, 33.33]}
