"""Predicted classes of pixels: figures as ``protonet test`` has them, and the worst images."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from protonet.cli.app import app
from protonet.errors import FormatError, UsageError
from protonet.jobs.predictions.pixels import PixelPredictions
from protonet.jobs.predictions.predict import predict_all
from protonet.jobs.run.directory import RunDirectory
from tests.data import segmentation_sets as sets


@pytest.fixture(scope="module")
def made(segments: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The predictions on the validation data, in a folder of their own."""
    folder, data = tmp_path_factory.mktemp("made"), segments / "data"
    run = RunDirectory.open(segments / "run")
    told: list[tuple[int, int]] = []
    about = predict_all(
        run, folder, data / "val_images", data / "val_labels", progress=lambda *x: told.append(x)
    )
    assert (about.count, about.form, about.of_classes, told) == (4, "pixels", False, [(4, 4)])
    return folder


def test_the_figures_of_test(segments: Path, made: Path) -> None:
    found = PixelPredictions.read(made).summary()
    printed = CliRunner().invoke(app, ["test", str(segments / "run"), "--json"])
    expected = json.loads(printed.stdout)["segmentation"]
    for name in ("count", "mean_iou", "pixel_accuracy", "mean_accuracy", "weighted_iou", "ignored"):
        assert getattr(found, name) == pytest.approx(expected[name]), name
    assert [each.iou for each in found.classes] == [each["iou"] for each in expected["classes"]]
    assert [each.name for each in found.classes] == ["ground", "car", "sky"]
    assert (found.iteration, found.ignored) == (12, 8)
    assert found.colors == ((0, 0, 0), (200, 100, 50), (0, 0, 255))
    assert sum(pixels for _, _, pixels in found.confusion) == 4 * 48 - 8
    first = found.mistakes[0]
    names = [each.name for each in found.classes]
    row = [cell for cell in found.confusion if names[cell[0]] == first.true]
    assert first.pixels == max(cell[2] for cell in row if names[cell[1]] != first.true)
    assert first.share == pytest.approx(first.pixels / sum(cell[2] for cell in row))


def test_the_worst_images_with_their_classes(segments: Path, made: Path) -> None:
    found = PixelPredictions.read(made)
    images = found.images(found.worst())
    ious = [each.mean_iou for each in images]
    assert ious == sorted(ious)
    assert len(ious) == 4
    records = sets.records(segments / "data", "val")
    wrong = 0
    for each in images:
        assert each.truth is not None
        np.testing.assert_array_equal(each.truth, records[each.name][1][0])
        known = each.truth != 9
        right = np.count_nonzero((each.truth == each.predicted) & known)
        assert each.accuracy == pytest.approx(right / np.count_nonzero(known))
        wrong += np.count_nonzero(known) - right
    assert wrong == sum(pixels for true, said, pixels in found.summary().confusion if true != said)


def test_the_images_of_a_cell_of_the_confusion(segments: Path, made: Path) -> None:
    found = PixelPredictions.read(made)
    truths = [each[1][0] for each in sets.records(segments / "data", "val").values()]
    maps = [each.predicted for each in found.images(np.arange(4))]
    seen = 0
    for truth, said, pixels in found.summary().confusion:
        counts = [
            np.count_nonzero((a == truth) & (b == said)) for a, b in zip(truths, maps, strict=True)
        ]
        expected = sorted((place for place in range(4) if counts[place]), key=lambda p: -counts[p])
        np.testing.assert_array_equal(found.cell(truth, said), expected)
        assert sum(counts) == pixels
        seen += len(expected)
    assert seen > 4
    assert len(found.cell(7, 0)) == 0


def test_predictions_from_before_cells_were_kept(made: Path, tmp_path: Path) -> None:
    shutil.copytree(made, tmp_path / "made")
    with np.load(tmp_path / "made" / "pixels.npz") as stored:
        arrays = {name: stored[name] for name in stored.files if name != "cells"}
    np.savez(tmp_path / "made" / "pixels.npz", **arrays)
    found = PixelPredictions.read(tmp_path / "made")
    assert len(found.cell(0, 0)) == 0
    assert len(found.worst()) == 4


def test_a_data_set_that_is_gone(made: Path, tmp_path: Path) -> None:
    shutil.copytree(made, tmp_path / "made")
    about = PixelPredictions.read(made).about
    replace(about, labels=tmp_path / "gone").write(tmp_path / "made")
    found = PixelPredictions.read(tmp_path / "made")
    (image,) = found.images(np.array([2]))
    assert (image.truth, image.predicted.shape) == (None, (6, 8))


def test_files_that_are_damaged(made: Path, tmp_path: Path) -> None:
    shutil.copytree(made, tmp_path / "made")
    about = PixelPredictions.read(made).about
    for name in ("names.txt", "label_keys"):
        (tmp_path / "made" / name).write_text('"a"\n')
    replace(about, count=1).write(tmp_path / "made")
    with pytest.raises(FormatError, match="images are missing"):
        PixelPredictions.read(tmp_path / "made")


def test_what_is_not_paired(segments: Path, tmp_path: Path) -> None:
    run, data = RunDirectory.open(segments / "run"), segments / "data"
    with pytest.raises(UsageError, match="expected a database of images, and that of the classes"):
        predict_all(run, tmp_path, data / "val_images")
    with pytest.raises(UsageError, match="set: expected a database of images"):
        predict_all(run, tmp_path, segments / "set", data / "val_labels")
