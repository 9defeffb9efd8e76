"""parse-log, run as a user runs it."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path
from typing import Any

CAFFE = Path(__file__).parents[1] / "golden" / "regression" / "caffe.log"


def test_tables_of_caffes_log(protonet: Any, tmp_path: Path) -> None:
    shutil.copy(CAFFE, tmp_path)
    found = protonet("parse-log", "caffe.log", "tables")
    assert (found.returncode, found.stderr) == (0, "")
    table = (tmp_path / "tables" / "caffe.log.train").read_text()
    rows = list(csv.DictReader(table.splitlines()))
    assert len(rows) == 150
    assert rows[0]["loss"] == "0.0827804"
    assert rows[149]["NumIters"] == "149"
    table = (tmp_path / "tables" / "caffe.log.test").read_text()
    tests = list(csv.DictReader(table.splitlines()))
    assert len(tests) > 3
    for row in tests:
        shown = rows[min(int(row["NumIters"]), 149)]
        assert row["LearningRate"] == shown["LearningRate"] != ""
    assert found.stdout.splitlines()[0] == "tables/caffe.log.train: 150 rows"


def test_what_is_no_log(protonet: Any, tmp_path: Path) -> None:
    (tmp_path / "x.log").write_text("nothing")
    found = protonet("parse-log", "x.log")
    assert found.returncode == 5
    assert "x.log: has no iterations" in found.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["x.log"]


def test_lines_that_are_not_understood_are_told(protonet: Any, tmp_path: Path) -> None:
    stamp = "I1123 11:55:20.000000 77 solver.cpp:1] "
    (tmp_path / "x.log").write_text(
        f"{stamp}Iteration 5, Testing net (#0)\n{stamp}    Test net output #0: a = 1\n"
        f"{stamp}    Iteration 5 -- loss = 1\n"
    )
    done = protonet("parse-log", "x.log")
    assert done.returncode == 0
    assert done.stderr == (
        "x.log: skipped 1 line(s) about an iteration in an unknown format; "
        "the first: Iteration 5 -- loss = 1\n"
    )


def test_the_flags_of_parse_log(protonet: Any, tmp_path: Path) -> None:
    shutil.copy(CAFFE, tmp_path)
    found = protonet("parse_log.py", "--verbose", "--delimiter", ";", "caffe.log", ".")
    assert found.returncode == 0
    assert (tmp_path / "caffe.log.test").read_text().startswith("NumIters;Seconds;LearningRate;")
    wrong = protonet("parse-log", "--delimiter", "tab", "caffe.log")
    assert wrong.returncode == 2
    assert "--delimiter 'tab': expected one character, such as ';'" in wrong.stderr
