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


def test_an_output_that_is_not_there(protonet: Any) -> None:
    found = protonet("plot", GOLDEN / "digits" / "caffe.log", "--output", "acuracy")
    assert found.returncode == 2
    assert "no log has an output 'acuracy'; there are loss, accuracy" in found.stderr
