"""How answers about classes are printed; test_classify.py runs the command."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from protonet.cli.classes import Classified, printer, show_report
from protonet.errors import UsageError
from protonet.jobs.evaluation.confusion import Report

SCORES = np.array([0.125, 0.75, np.nan], np.float32)


def found(classes: list[str] | None, truth: int | None = None) -> Classified:
    return Classified(Path("a.png"), SCORES, [1, 0, 2], classes, truth)


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        (
            "caffe",
            '---------- Prediction for a.png ----------\n0.7500 - "x, y"\n0.1250 - "w"\n'
            'nan - "z"\n',
        ),
        (
            "csv",
            "image,rank,class,name,score,true\n"
            'a.png,1,1,"x, y",0.75,2\na.png,2,0,w,0.125,2\na.png,3,2,z,nan,2\n',
        ),
        (None, '---------- Prediction for a.png ----------\n0.7500 - "x, y"\n'),
    ],
)
def test_forms(form: str | None, expected: str, capsys: pytest.CaptureFixture[str]) -> None:
    out = printer(form, 3, many=False)
    out.add(found(["w", "x, y", "z"], 2))
    out.end()
    assert capsys.readouterr().out.startswith(expected)


def test_json(capsys: pytest.CaptureFixture[str]) -> None:
    out = printer("json", 3, many=False)
    out.add(found(None, 0))
    answer = json.loads(capsys.readouterr().out)
    assert answer["top"][0] == {"class": 1, "name": "1", "score": 0.75}
    assert answer["top"][2]["score"] is None
    assert answer["true"] == 0


@pytest.mark.parametrize(("many", "rows"), [(True, 2), (False, 4)])
def test_a_table_of_many_has_the_likeliest(
    many: bool, rows: int, capsys: pytest.CaptureFixture[str]
) -> None:
    out = printer("table", 3, many)
    out.add(found(["w", "x", "z"]))
    out.end()
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["image", "score", "class"]
    assert lines[1].split() == ["a.png", "0.7500", "x"]
    assert len(lines) == rows
    printer("table", 3, many).end()
    assert capsys.readouterr().out == ""


def test_the_report(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    small, large = Report(3), Report(13)
    for report in (small, large):
        for truth, said in ((0, 0), (1, 2), (1, 2), (2, 0)):
            report.add(truth, [said, truth] if said != truth else [said])
    show_report(small, ["w", "x", "y"], None, is_data=False)
    assert capsys.readouterr().out.splitlines() == [
        "top-1 accuracy: 0.2500 (1 of 4)",
        "",
        "true \\ predicted  w  x  y  correct",
        "w                 1        100.00%",
        "x                       2  0.00%",
        "y                 1        0.00%",
    ]
    show_report(large, None, tmp_path / "c.svg", is_data=True)
    assert capsys.readouterr().err.splitlines() == [
        "top-1 accuracy: 0.2500 (1 of 4)",
        "top-5 accuracy: 1.0000 (4 of 4)",
        "2 of '1' predicted as '2'",
        "1 of '2' predicted as '0'",
        str(tmp_path / "c.svg"),
    ]
    assert (tmp_path / "c.svg").read_text().startswith("<?xml")
    show_report(Report(3), None, None, is_data=False)
    assert capsys.readouterr() == ("", "")
    with pytest.raises(UsageError, match="--confusion needs images of known class"):
        show_report(Report(3), None, tmp_path / "c.png", is_data=False)
