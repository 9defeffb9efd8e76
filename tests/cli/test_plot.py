"""plot, run as a user runs it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

GOLDEN = Path(__file__).parents[1] / "golden"


def test_two_logs_in_one_picture(protonet: Any, tmp_path: Path) -> None:
    logs = [GOLDEN / name / "caffe.log" for name in ("digits", "regression")]
    found = protonet("plot", *logs, "--out", "both.svg")
    assert (found.returncode, found.stdout, found.stderr) == (0, "both.svg\n", "")
    text = (tmp_path / "both.svg").read_text()
    assert "digits/caffe.log, training" in text
    assert "regression/caffe.log, training" in text


def test_lines_that_are_not_understood_are_told(protonet: Any, tmp_path: Path) -> None:
    text = (GOLDEN / "digits" / "caffe.log").read_text()
    stamp = "I1123 11:55:20.000000 77 solver.cpp:1] "
    (tmp_path / "x.log").write_text(f"{text}{stamp}Iteration 200 -- loss = 1\n")
    found = protonet("plot", "x.log", "--out", "x.svg")
    assert (found.returncode, found.stdout) == (0, "x.svg\n")
    assert found.stderr == (
        "x.log: skipped 1 line(s) about an iteration in an unknown format; "
        "the first: Iteration 200 -- loss = 1\n"
    )


def test_an_output_that_is_not_there(protonet: Any) -> None:
    found = protonet("plot", GOLDEN / "digits" / "caffe.log", "--output", "acuracy")
    assert found.returncode == 2
    assert "no log has an output 'acuracy'; there are loss, lr, accuracy" in found.stderr


def test_the_charts_of_plot_training_log(protonet: Any, tmp_path: Path) -> None:
    log = GOLDEN / "digits" / "caffe.log"
    for chart, title, axis in ((0, "accuracy", "iteration"), (3, "loss", "seconds"),
                               (4, "lr", "iteration"), (7, "loss", "seconds")):  # fmt: skip
        found = protonet("plot_training_log.py", chart, "c.svg", log)
        assert (found.returncode, found.stdout) == (0, "c.svg\n")
        text = (tmp_path / "c.svg").read_text()
        assert f"<!-- {title} -->" in text
        assert f"<!-- {axis} -->" in text
        assert ("caffe.log, test" in text) is (title != "lr")
    assert protonet("plot_training_log.py", 8, "c.svg", log).returncode == 2
