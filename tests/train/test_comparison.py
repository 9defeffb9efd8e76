"""Several trainings in one picture."""

from __future__ import annotations

from pathlib import Path

import pytest

from protonet.errors import UsageError
from protonet.train.comparison import FORMATS, draw_comparison
from protonet.train.logs import Entry, TrainingLog, read_log

DIGITS = Path(__file__).parents[1] / "golden" / "digits" / "caffe.log"


def noisy(count: int) -> TrainingLog:
    return TrainingLog(
        [Entry(i, float(i), 0.1, 100.0 / (i + 1), {"y": float("nan")}) for i in range(count)]
    )


@pytest.mark.parametrize("kind", FORMATS)
def test_every_kind_of_file(kind: str, tmp_path: Path) -> None:
    path = tmp_path / f"plot.{kind}"
    draw_comparison({"caffe": read_log(DIGITS), "many": noisy(200)}, path, by_time=True)
    start = {"svg": b"<?xml", "png": b"\x89PNG", "pdf": b"%PDF"}[kind]
    assert path.read_bytes().startswith(start)


def test_the_legend_names_training_and_test(tmp_path: Path) -> None:
    path = tmp_path / "plot.svg"
    draw_comparison({"caffe": read_log(DIGITS)}, path)
    text = path.read_text()
    assert "caffe, training" in text
    assert "caffe, test" in text
    draw_comparison({"caffe": read_log(DIGITS)}, path, output="accuracy")
    text = path.read_text()
    assert "caffe, training" not in text
    assert "caffe, test" in text


def test_what_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="expected a picture of kind png, svg, pdf"):
        draw_comparison({"a": noisy(3)}, tmp_path / "plot.gif")
    with pytest.raises(
        UsageError, match="no log has an output 'acc'; there are loss, lr, accuracy"
    ):
        draw_comparison({"a": read_log(DIGITS)}, tmp_path / "plot.png", output="acc")
