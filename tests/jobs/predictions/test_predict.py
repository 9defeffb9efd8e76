"""Predictions on databases, folders and lists, by real trainings."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from protonet.data.database import Database
from protonet.data.datum import encode_image
from protonet.errors import DataError, UsageError
from protonet.jobs.predictions.classes import ClassPredictions
from protonet.jobs.predictions.numbers import NumberPredictions
from protonet.jobs.predictions.predict import predict_all
from protonet.jobs.predictions.stored import StoredPredictions
from protonet.jobs.run.directory import RunDirectory
from tests.web.trained import black_and_white, shades, slopes


@pytest.fixture(scope="module")
def classes(tmp_path_factory: pytest.TempPathFactory) -> tuple[RunDirectory, Path]:
    folder = tmp_path_factory.mktemp("classes")
    database = black_and_white(folder)
    return shades(database, folder / "run"), database


def folder(tmp_path: Path, name: str = "made") -> Path:
    made = tmp_path / name
    made.mkdir()
    return made


def test_classes_of_a_database(classes: tuple[RunDirectory, Path], tmp_path: Path) -> None:
    run, database = classes
    told: list[tuple[int, int]] = []
    about = predict_all(
        run, folder(tmp_path), database, progress=lambda done, of: told.append((done, of))
    )
    assert (about.count, about.classes, about.output) == (24, ("black", "white"), "prob")
    assert told[-1] == (24, 24)
    found = ClassPredictions(StoredPredictions.read(tmp_path / "made"))
    assert found.accuracy() == 1
    assert found.confusion.tolist() == [[12, 0], [0, 12]]
    few = predict_all(run, folder(tmp_path, "few"), database, most=3)
    assert few.count == 3


def test_files_with_their_folders_as_classes(
    classes: tuple[RunDirectory, Path], tmp_path: Path
) -> None:
    run, database = classes
    with Database(database) as stored:
        for number, key in enumerate(list(stored.keys())[:4]):
            place = tmp_path / "images" / ("black", "white")[number % 2]
            place.mkdir(parents=True, exist_ok=True)
            (place / f"{number}.png").write_bytes(encode_image(stored.image(key)[0]))
    (tmp_path / "images" / "black" / "bad.png").write_bytes(b"not a readable image")
    about = predict_all(run, folder(tmp_path), tmp_path / "images")
    assert (about.count, about.failures) == (4, 1)
    assert "bad.png" in about.failed[0]
    found = ClassPredictions(StoredPredictions.read(tmp_path / "made"))
    assert found.accuracy() == 1
    assert [Path(name).name for name in found.stored.names] == ["0.png", "2.png", "1.png", "3.png"]


def test_a_list_may_name_a_file_twice(classes: tuple[RunDirectory, Path], tmp_path: Path) -> None:
    run, database = classes
    with Database(database) as stored:
        (tmp_path / "a.png").write_bytes(encode_image(stored.image(stored.keys()[0])[0]))
    (tmp_path / "list.txt").write_text("a.png black\na.png white\na.png\n")
    predict_all(run, folder(tmp_path), tmp_path / "list.txt")
    found = ClassPredictions(StoredPredictions.read(tmp_path / "made"))
    assert found.truths.tolist() == [0, 1, -1]
    assert found.wrong.tolist() == [1]


def test_a_file_that_may_not_be_read(classes: tuple[RunDirectory, Path], tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("/etc/hostname\n")

    def allow(file: Path) -> None:
        raise UsageError(f"{file}: outside")

    with pytest.raises(UsageError, match="outside"):
        predict_all(classes[0], folder(tmp_path), tmp_path / "list.txt", allow=allow)


def test_vectors(gradients: Path, classes: tuple[RunDirectory, Path], tmp_path: Path) -> None:
    run = slopes(gradients, tmp_path / "run")
    about = predict_all(run, folder(tmp_path), gradients / "val_images", gradients / "val_labels")
    assert (about.classes, about.output) == ((), "output")
    found = NumberPredictions(StoredPredictions.read(tmp_path / "made"))
    assert found.known == about.count > 0
    with pytest.raises(DataError, match="the net was trained on"):
        predict_all(run, folder(tmp_path, "b"), classes[1])
    with pytest.raises(DataError, match=r"predicts 2 number\(s\), the label has"):
        predict_all(classes[0], folder(tmp_path, "c"), classes[1], classes[1])


def test_files_and_records_without_vectors(gradients: Path, tmp_path: Path) -> None:
    """A net that learned vectors has no classes, whatever the files are called."""
    run = slopes(gradients, tmp_path / "run")
    (tmp_path / "list.txt").write_text(f"{gradients / 'test.png'} 7\n")
    for name, images in (("a", gradients / "val_images"), ("b", tmp_path / "list.txt"),
                         ("c", gradients)):  # fmt: skip
        about = predict_all(run, folder(tmp_path, name), images)
        assert about.classes == ()
        found = NumberPredictions(StoredPredictions.read(tmp_path / name))
        assert (found.known, len(found.stored.scores)) == (0, about.count)
        assert found.components() == []


def test_folders_give_the_classes_of_a_run_without_names(
    classes: tuple[RunDirectory, Path], tmp_path: Path
) -> None:
    copy = RunDirectory(tmp_path / "run")
    shutil.copytree(classes[0].path, copy.path)
    copy.labels.unlink()
    with Database(classes[1]) as stored:
        for number, key in enumerate(list(stored.keys())[:4]):
            place = tmp_path / "images" / ("dark", "light")[number % 2]
            place.mkdir(parents=True, exist_ok=True)
            (place / f"{number}.png").write_bytes(encode_image(stored.image(key)[0]))
    about = predict_all(copy, folder(tmp_path), tmp_path / "images")
    assert about.classes == ("dark", "light")
    found = ClassPredictions(StoredPredictions.read(tmp_path / "made"))
    assert (found.known, found.accuracy()) == (4, 1.0)
