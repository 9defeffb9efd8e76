"""Results of a run image by image: tables, JSON, files, and what is refused."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from protonet.cli.image_results import write_confusion, write_images
from protonet.data.create import create_gradients
from protonet.data.database import Database
from protonet.data.datum import encode_image
from protonet.errors import UsageError
from protonet.jobs.evaluation.confusion import Report
from protonet.web.forms import TestForm
from protonet.web.results.listing import summary
from protonet.web.site import Site
from protonet.web.store import TRAINING
from protonet.web.views import plain
from protonet.web.workspace import Workspace
from tests.web.browser import wait_for
from tests.web.page.results.test_classification import with_a_wrong_label
from tests.web.trained import black_and_white, shades, slopes


@pytest.fixture
def wrong(tmp_path: Path) -> Path:
    """A run that tells dark from bright, and a database with one wrong label."""
    database = black_and_white(tmp_path)
    run = shades(database, tmp_path / "run")
    run.labels.write_text("black\nwhite\n")
    return with_a_wrong_label(database, tmp_path / "wrong")


def test_classes(protonet: Any, wrong: Path, tmp_path: Path) -> None:
    files = ("--wrong", "wrong.csv", "--answers", "all.jsonl", "--confusion", "confusion.csv")
    found = protonet("test", "run", "--data", "wrong", "--by-class", *files)
    assert found.returncode == 0, found.stderr
    lines = found.stdout.splitlines()
    assert lines[1] == "top-1 accuracy: 0.9583"
    assert [line.split() for line in lines[3:]] == [
        ["black", "13", "12", "12", "92.31%", "100.00%"],
        ["white", "11", "12", "11", "100.00%", "91.67%"],
    ]
    assert "wrong.csv: 1 images" in found.stderr
    with (tmp_path / "wrong.csv").open() as stream:
        (row,) = csv.DictReader(stream)
    assert (row["image"], row["true_name"], row["name_1"]) == ("007", "black", "white")
    assert float(row["score_1"]) > 0.5
    answers = [json.loads(line) for line in (tmp_path / "all.jsonl").read_text().splitlines()]
    assert [each["index"] for each in answers] == list(range(24))
    assert [each["name"] for each in answers[7]["top"]] == ["white", "black"]
    assert (tmp_path / "confusion.csv").read_text() == "true,black,white\nblack,12,1\nwhite,0,11\n"


def test_json_is_that_of_the_api(protonet: Any, wrong: Path, tmp_path: Path) -> None:
    site = Site(Workspace.open(tmp_path / "work", (tmp_path,)))
    told = json.loads(protonet("test", "run", "--data", "wrong", "--json", "--by-class").stdout)
    job = site.add(TRAINING, "shades")
    shades(tmp_path / "db", site.folder(job) / "run").labels.write_text("black\nwhite\n")
    tests = site.tests
    key = tests.start(job, TestForm(path=str(wrong))).key
    wait_for(lambda: tests.state(job, key).status == "done", "the test")
    assert plain(summary(tests.open(job, key))) == told
    assert (told["known"], told["confusion"]) == (24, [[0, 0, 12], [0, 1, 1], [1, 1, 11]])
    site.checks.close()
    site.store.close()


def test_vectors(protonet: Any, tmp_path: Path) -> None:
    create_gradients(tmp_path / "data", 12, 10, 20, 4, seed=2)
    slopes(tmp_path / "data", tmp_path / "run")
    found = protonet("test", "run", "--by-class", "--wrong", "worst.csv", "--answers", "all.json")
    assert found.returncode == 0, found.stderr
    with (tmp_path / "worst.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    far = [float(row["distance"]) for row in rows]
    assert (len(far), far) == (4, sorted(far, reverse=True))
    first = rows[0]
    errors = [float(first[f"predicted_{at}"]) - float(first[f"true_{at}"]) for at in range(2)]
    assert float(np.hypot(*errors)) == pytest.approx(far[0], rel=1e-5)
    told = json.loads(protonet("test", "run", "--json", "--by-class").stdout)
    assert [each["name"] for each in told["components"]] == ["output[0]", "output[1]"]


def test_what_is_refused(protonet: Any, wrong: Path, tmp_path: Path) -> None:
    for given, told in (
        (("run", "--by-class"), "has no validation data of its own"),
        (("run", "--data", "wrong", "--wrong", "x.txt"), "expected a file that ends in .csv"),
        (("run", "--data", "wrong", "--by-class", "--worst", 3), "--worst does not go with"),
        (("net.prototxt", "--by-class"), "results by image need a run directory"),
        (("run", "--labels", "wrong", "--by-class"), "--labels goes with --data"),
        (("run", "--data", "nowhere", "--by-class"), "expected a database, a folder, or a list"),
    ):
        found = protonet("test", *given)
        assert found.returncode != 0
        assert told in found.stderr


def test_files(tmp_path: Path) -> None:
    report = Report.of(np.array([[2, 1], [0, 3]]))
    write_confusion(tmp_path / "c.png", report, ["a", "b"])
    assert (tmp_path / "c.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(UsageError, match="a picture of kind png"):
        write_confusion(tmp_path / "c.txt", report, ["a", "b"])
    assert write_images(tmp_path / "none.csv", iter(())) == 0
    unknown = {"index": 0, "image": "a,b", "predicted": [1, 2], "true": None, "distance": None}
    assert write_images(tmp_path / "one.csv", iter([unknown])) == 1
    assert (tmp_path / "one.csv").read_text().splitlines()[1] == '"a,b",,1,2,,'
    boxes = {"index": 3, "image": "k", "missed": 1, "false": 0, "truths": [{}, {}], "found": [{}]}
    assert write_images(tmp_path / "boxes.csv", iter([boxes])) == 1
    assert (tmp_path / "boxes.csv").read_text().splitlines() == [
        "image,missed,false,truths,found", "k,1,0,2,1",
    ]  # fmt: skip
    maps = {"index": 3, "image": "k", "mean_iou": None, "accuracy": 0.5}
    assert write_images(tmp_path / "maps.csv", iter([maps])) == 1
    assert (tmp_path / "maps.csv").read_text().splitlines() == ["image,mean_iou,accuracy", "k,,0.5"]


def test_classify(protonet: Any, wrong: Path, tmp_path: Path) -> None:
    with Database(wrong) as stored:
        for key in (b"000", b"001", b"007"):
            image, label = stored.image(key)
            folder = tmp_path / "images" / ("black", "white")[label]
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"{key.decode()}.png").write_bytes(encode_image(image))
    files = ("--wrong", "wrong.json", "--confusion", "c.csv")
    found = protonet("classify", "run", "images", "--by-class", *files)
    assert found.returncode == 0, found.stderr
    rows = [line.split() for line in found.stdout.splitlines()]
    assert ["black", "2", "1", "1", "50.00%", "100.00%"] in rows
    assert (tmp_path / "c.csv").read_text() == "true,black,white\nblack,1,1\nwhite,0,1\n"
    told = json.loads((tmp_path / "wrong.json").read_text())
    assert (told["image"], told["true"], told["true_name"]) == ("images/black/007.png", 0, "black")
    assert told["top"][0]["name"] == "white"
    found = protonet("classify", "run", "images/black/007.png", "--wrong", "x.csv")
    assert "--wrong needs images of known class" in found.stderr
    assert "ends in .csv" in protonet("classify", "run", "images", "--wrong", "x.png").stderr
