"""Parallel coordinates: an axis for each setting that differs and each best value."""

from __future__ import annotations

import json

from protonet.jobs.comparison.best import Best
from protonet.jobs.comparison.table import Row, table_of
from protonet.web.page.jobs.parallel import parallel


def test_axes_and_lines() -> None:
    def row(name: str, lr: float, solver: str, size: int | None, loss: float | None) -> Row:
        best = {} if loss is None else {"loss": Best(loss, 3, "lowest")}
        return Row(name, {"lr": lr, "solver": solver, "batch_size": size}, best)

    chart = parallel(table_of([
        row("a", 0.1, "SGD", None, 0.5), row("b", 0.0001, "Adam", 8, 0.25),
        row("c", 0.1, "SGD", 4, None),
    ]))  # fmt: skip
    axes = chart["parallelAxis"]
    assert [(axis["name"], axis["type"]) for axis in axes] == [
        ("lr", "log"), ("solver", "category"), ("batch_size", "value"), ("loss", "value"),
    ]  # fmt: skip
    assert axes[1]["data"] == ["SGD", "Adam"]
    assert [each["value"] for each in chart["series"][0]["data"]] == [
        [0.1, "SGD", None, 0.5], [0.0001, "Adam", 8, 0.25], [0.1, "SGD", 4, None],
    ]  # fmt: skip
    seen = chart["visualMap"]
    assert (seen["dimension"], seen["min"], seen["max"]) == (3, 0.25, 0.5)
    json.dumps(chart)


def test_without_a_known_direction_there_are_no_colors() -> None:
    rows = [Row(name, {"lr": n}, {"y": Best(n, 1, None)}) for n, name in enumerate("ab")]
    assert "visualMap" not in parallel(table_of(rows))


def test_files_have_no_axis() -> None:
    rows = [
        Row(name, {"data": f"/sets/{name}", "lr": n}, {"loss": Best(n, 1, "lowest")})
        for n, name in enumerate("ab")
    ]
    chart = parallel(table_of(rows))
    assert [axis["name"] for axis in chart["parallelAxis"]] == ["lr", "loss"]
    assert [axis["dim"] for axis in chart["parallelAxis"]] == [0, 1]
    assert chart["visualMap"]["dimension"] == 1
