"""What a net says of one image, and what led to it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from protonet.data.database import Database
from protonet.data.datum import decode_image, encode_image
from protonet.errors import UsageError
from protonet.jobs.inference.trained_run import Predictor
from protonet.jobs.run.directory import RunDirectory
from protonet.web.results.image import (
    predict_image,
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


def test_the_classes_and_activations_of_an_image(
    classes: tuple[RunDirectory, Path], tmp_path: Path
) -> None:
    run, database = classes
    with Database(database) as stored:
        (tmp_path / "1.png").write_bytes(encode_image(stored.image(stored.keys()[1])[0]))
    answer = predict_image(run, tmp_path / "1.png")
    assert answer.classes[0][0] == "white"
    assert len(answer.classes) == 2
    (conv,) = [each for each in answer.activations if each.kind == "conv (Convolution)"]
    assert decode_image(conv.png or b"", "x").shape == (1, 9, 11)  # 2 x 2 planes of 4 x 5


def test_values_in_numbers() -> None:
    found = statistic("x", "k", np.array([1.0, np.nan, 3.0]))
    assert (found.mean, found.deviation, found.least, found.most) == (2.0, 1.0, 1.0, 3.0)
    assert statistic("x", "k", np.array([np.nan])).mean == 0.0
    assert tiles(np.zeros((3, 4))) is None
    assert decode_image(tiles(np.zeros((200, 2, 3))) or b"", "x").shape == (1, 8 * 3 - 1, 8 * 4 - 1)
