"""Runs side by side: only settings that differ, the best of each output."""

from __future__ import annotations

from pathlib import Path

from protonet.jobs.comparison.best import Best
from protonet.jobs.comparison.table import (
    Row,
    Table,
    differing,
    setting_text,
    settings_of,
    table_of,
    to_csv,
)
from protonet.jobs.run.directory import RunDirectory
from protonet.jobs.run.record import RunRecord
from protonet.jobs.run.settings import RunSettings


def rows() -> Table:
    def row(name: str, lr: float, size: int | None, accuracy: float, loss: float) -> Row:
        best = {"accuracy": Best(accuracy, 7, "highest"), "loss": Best(loss, 9, "lowest")}
        return Row(name, {"lr": lr, "batch_size": size, "seed": 1, "steps": [50.0]}, best)

    return table_of([
        row("a", 0.1, 8, 0.5, 0.4), row("b", 0.01, None, 0.9, 0.5), row("c", 1.0, 4, 0.7, 0.3),
    ])  # fmt: skip


def names(table: Table) -> str:
    return "".join(row.name for row in table.rows)


def test_columns_and_winners() -> None:
    table = rows()
    assert (table.settings, table.outputs) == (("lr", "batch_size"), ("accuracy", "loss"))
    assert (table.winners("accuracy"), table.winners("loss")) == ({1}, {2})


def test_sorting() -> None:
    table = rows()
    assert names(table.sorted_by("accuracy")) == "bca"
    assert names(table.sorted_by("loss")) == "cab"
    assert names(table.sorted_by("lr")) == "bac"
    assert names(table.sorted_by("batch_size")) == "cab"
    assert names(table.sorted_by("lr").sorted_by("run")) == "abc"


def test_csv() -> None:
    assert to_csv(rows()).splitlines() == [
        "name,lr,batch_size,accuracy,accuracy at iteration,loss,loss at iteration",
        "a,0.1,8,0.5,7,0.4,9",
        "b,0.01,,0.9,7,0.5,9",
        "c,1,4,0.7,7,0.3,9",
    ]


def test_an_output_of_which_the_better_is_unknown_has_no_winner() -> None:
    table = table_of([Row("a", {}, {"y": Best(1.0, 1, None)}), Row("b", {}, {})])
    assert table.winners("y") == set()
    assert names(table.sorted_by("y")) == "ab"


def test_settings_of_different_kinds() -> None:
    assert differing([{"a": 1, "out": "x"}, {"a": 1, "b": None, "out": "y"}, {"b": 2}]) == (
        "a", "b",
    )  # fmt: skip
    assert setting_text([0.5, True, None, "x"]) == "0.5, yes, , x"


def test_texts_of_paths() -> None:
    sets = ["/w/jobs/7/data/train", "/w/jobs/8/data/train", "/elsewhere/train", None]
    table = table_of(
        Row(str(n), {"data": path, "steps": [0.5, n], "weights": [path, "b/w"]}, {})
        for n, path in enumerate(sets)
    )
    assert table.texts("data") == ["7/data/train", "8/data/train", "/elsewhere/train", ""]
    names = {"/w/jobs/7/data": "small", "/w/jobs/8/data": "large"}
    assert table.texts("data", names) == ["small/train", "large/train", "elsewhere/train", ""]
    same = dict.fromkeys(names, "set")
    assert table.texts("data", same) == table.texts("data"), "names that do not tell them apart"
    assert table.texts("steps")[1] == "0.5, 1"
    assert table.texts("weights", names)[0] == "small/train, b/w"
    assert table.texts("nothing") == ["", "", "", ""]


def test_settings_of_a_run(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path)
    settings = RunSettings(Path("/data"), lr=0.25, out=tmp_path)
    run.write(RunRecord(settings=settings, prefix="snapshot"))
    found = settings_of(run)
    assert (found["lr"], found["data"]) == (0.25, "/data")
    assert "out" not in found
