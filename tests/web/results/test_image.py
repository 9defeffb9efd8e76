"""What a net says of one image, of many, and what led to it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from protonet.data.database import Database
from protonet.data.datum import decode_image, encode_image
from protonet.errors import DataError, UsageError
from protonet.jobs.inference.trained_run import Predictor
from protonet.jobs.run.directory import RunDirectory
from protonet.web.results.image import (
    predict_database,
    predict_image,
    predict_list,
    statistic,
    tiles,
)
from tests.web.trained import black_and_white, shades, slopes


@pytest.fixture(scope="module")
def run(gradients: Path, tmp_path_factory: pytest.TempPathFactory) -> RunDirectory:
    return slopes(gradients, tmp_path_factory.mktemp("slopes") / "run")


@pytest.fixture(scope="module")
def classes(tmp_path_factory: pytest.TempPathFactory) -> tuple[RunDirectory, Path]:
    folder = tmp_path_factory.mktemp("shades")
    database = black_and_white(folder)
    return shades(database, folder / "run"), database


def test_one_image(run: RunDirectory, gradients: Path) -> None:
    answer = predict_image(run, gradients / "test.png")
    with Predictor(run) as predictor:
        (expected,) = predictor.predict([gradients / "test.png"])
    assert answer.outputs["output"] == pytest.approx(expected.outputs["output"].ravel().tolist())
    assert [each.name for each in answer.activations] == ["data", "scale", "output"]
    assert [each.name for each in answer.weights] == ["hidden/0", "hidden/1"]
    data = answer.activations[0]
    assert data.shape == (1, 1, 10, 12)
    assert sum(data.histogram.counts) == 120
    assert data.least <= data.mean <= data.most
    assert answer.activations[1].mean == pytest.approx(0.004 * data.mean, rel=1e-4)
    assert decode_image(answer.seen, "x").shape == (1, 10, 12)
    assert answer.classes == ()


def test_a_snapshot_that_is_asked_for(run: RunDirectory, gradients: Path) -> None:
    first, *_ = run.iterations()
    early = predict_image(run, gradients / "test.png", str(first))
    assert early.snapshot == first
    assert early.outputs != predict_image(run, gradients / "test.png").outputs
    with pytest.raises(UsageError, match="no snapshot '77'"):
        predict_image(run, gradients / "test.png", "77")


def test_a_database_of_vectors(run: RunDirectory, gradients: Path) -> None:
    found = predict_database(run, gradients / "val_images", gradients / "val_labels")
    assert found.count == 8
    assert [each.name for each in found.components] == ["output[0]", "output[1]"]
    (points, _) = found.points
    errors = [abs(true - said) for true, said in points]
    assert found.components[0].mae == pytest.approx(np.mean(errors))
    distances = [miss.distance for miss in found.worst]
    assert distances == sorted(distances, reverse=True)
    assert found.worst[0].png is not None
    few = predict_database(run, gradients / "val_images", gradients / "val_labels", most=3)
    assert few.count == 3


def test_labels_of_another_length(
    run: RunDirectory, gradients: Path, classes: tuple[RunDirectory, Path]
) -> None:
    with pytest.raises(DataError, match="the net was trained on"):
        predict_database(run, classes[1], None)
    with pytest.raises(DataError, match="predicts 2 number"):
        predict_database(classes[0], classes[1], classes[1])


def test_classes_of_a_database(classes: tuple[RunDirectory, Path]) -> None:
    run, database = classes
    found = predict_database(run, database, None)
    assert found.right == 1.0
    assert found.right_of_five == 1.0
    assert found.classes == ("black", "white")
    assert found.confusion == ((12, 0), (0, 12))


def test_classes_of_files(classes: tuple[RunDirectory, Path], tmp_path: Path) -> None:
    run, database = classes
    with Database(database) as stored:
        for number, key in enumerate(list(stored.keys())[:4]):
            folder = tmp_path / "images" / ("black", "white")[number % 2]
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"{number}.png").write_bytes(encode_image(stored.image(key)[0]))
    (tmp_path / "images" / "black" / "bad.png").write_bytes(b"not a readable image")
    found = predict_list(run, tmp_path / "images")
    assert (found.count, found.right) == (4, 1.0)
    assert sorted(found.rows) == [("0.png", "black"), ("1.png", "white"), ("2.png", "black"),
                                  ("3.png", "white")]  # fmt: skip
    assert "bad.png" in found.failed[0]
    answer = predict_image(run, tmp_path / "images" / "white" / "1.png")
    assert answer.classes[0][0] == "white"
    assert len(answer.classes) == 2
    (conv,) = [each for each in answer.activations if each.kind == "conv (Convolution)"]
    assert decode_image(conv.png or b"", "x").shape == (1, 9, 11)  # 2 x 2 planes of 4 x 5
    (tmp_path / "list.txt").write_text("images/white/1.png\n")
    assert predict_list(run, tmp_path / "list.txt").right is None
    with pytest.raises(UsageError, match="expected a folder"):
        predict_list(run, tmp_path / "x.mdb")


def test_values_in_numbers() -> None:
    found = statistic("x", "k", np.array([1.0, np.nan, 3.0]))
    assert (found.mean, found.deviation, found.least, found.most) == (2.0, 1.0, 1.0, 3.0)
    assert statistic("x", "k", np.array([np.nan])).mean == 0.0
    assert tiles(np.zeros((3, 4))) is None
    assert decode_image(tiles(np.zeros((200, 2, 3))) or b"", "x").shape == (1, 8 * 3 - 1, 8 * 4 - 1)
