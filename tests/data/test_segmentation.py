"""Conversion of data sets for segmentation."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from protonet.data.class_table import ClassTable, read_class_table
from protonet.data.database import Database
from protonet.data.datum import encode_image
from protonet.data.detection_set import Division
from protonet.data.record_format import RecordFormat
from protonet.data.segmentation import Converted, convert_segmentation
from protonet.data.segmentation_classes import GivenClasses
from protonet.data.segmentation_input import SegmentationInput
from protonet.data.transform import load_mean
from protonet.errors import DataError, ProtonetError, UsageError
from tests.data import segmentation_sets as sets

COLOURS = ((0, 0, 0), (200, 100, 50), (10, 20, 30))


def convert(root: Path, folder: Path, **options: object) -> Converted:
    form = options.pop("record", RecordFormat(color=True, encoded="png"))
    restart = bool(options.pop("restart", False))
    progress = options.pop("progress", None)
    given = SegmentationInput(root, **options)
    return convert_segmentation(given, folder, form, restart=restart, progress=progress)


def test_folders_become_paired_databases(tmp_path: Path) -> None:
    sets.folders(tmp_path / "set", palette=COLOURS)
    made = convert(tmp_path / "set", tmp_path / "data", division=Division(val_share=0.5))
    assert made.parts == {"train": 2, "val": 2}
    assert made.table == ClassTable(("class 0", "class 1", "class 2"), COLOURS)
    assert read_class_table(tmp_path / "data" / "class_table.csv") == made.table
    assert made.pixels == {0: 64, 1: 64, 2: 64}
    seen = {}
    for part in ("train", "val"):
        for number, (key, pair) in enumerate(sets.records(tmp_path / "data", part).items()):
            assert key == f"{number:08d}_images/{Path(key).name}"
            seen[Path(key).stem] = pair
    assert sorted(seen) == list("abcd")
    for seed, name in enumerate("abcd"):
        np.testing.assert_array_equal(seen[name][0], sets.image_of(seed))
        np.testing.assert_array_equal(seen[name][1], sets.classes_of(seed)[None])
    mean = load_mean(tmp_path / "data" / "train_mean.binaryproto")
    images = [pair[0] for pair in sets.records(tmp_path / "data", "train").values()]
    np.testing.assert_allclose(mean, np.mean(images, axis=0), atol=1e-4)
    assert not (tmp_path / "data" / "conversion.json").exists()


def test_voc_has_its_classes_division_and_ignored_pixels(tmp_path: Path) -> None:
    sets.voc(tmp_path / "set")
    made = convert(tmp_path / "set", tmp_path / "data")
    assert made.parts == {"train": 2, "val": 1}
    assert made.table.names[:3] == ("background", "aeroplane", "bicycle")
    assert (len(made.table.names), made.table.ignore) == (21, 255)
    assert made.table.colours[1] == (128, 0, 0)
    assert made.pixels[255] == 8
    (pair,) = (v for k, v in sets.records(tmp_path / "data", "train").items() if "b.png" in k)
    assert (pair[1][0, 0] == 255).all()
    ((key, _),) = sets.records(tmp_path / "data", "val").items()
    assert key == "00000000_JPEGImages/c.png"


def test_labels_are_resized_with_their_images(tmp_path: Path) -> None:
    """Without new values, and padded with what is ignored."""
    sets.folders(tmp_path / "set")
    for how, number in (("squash", None), ("fill", "9")):
        made = convert(
            tmp_path / "set",
            tmp_path / how,
            record=RecordFormat((12, 12), True, None, how),
            classes=GivenClasses(ignore=number or "none"),
        )
        assert made.parts == {"train": 3, "val": 1}
        for key, (image, labels) in sets.records(tmp_path / how, "train").items():
            assert (image.shape, labels.shape) == ((3, 12, 12), (1, 12, 12))
            seed = "abcd".index(Path(key).stem)
            if how == "squash":
                wide = sets.classes_of(seed)[:, np.arange(12) * 2 // 3]
                np.testing.assert_array_equal(labels[0, ::2], wide)
                np.testing.assert_array_equal(labels[0, 1::2], wide)
            else:  # 8x6 becomes 12x9, with 1 row above and 2 below
                assert (labels[0, :1] == 9).all()
                assert (labels[0, 10:] == 9).all()
                assert labels[0, 1:10].max() <= 2


def test_stored_pixels_and_an_encoding(tmp_path: Path) -> None:
    sets.folders(tmp_path / "set")
    for name, encoded in (("pixels", None), ("files", "jpg")):
        form = RecordFormat(color=False, encoded=encoded)
        convert(tmp_path / "set", tmp_path / name, record=form)
        for kind in ("images", "labels"):
            with Database(tmp_path / name / f"train_{kind}") as database:
                datum = database.first()[1]
                assert datum.encoded == (encoded is not None)
                assert datum.channels == 1
                if kind == "labels" and encoded:
                    assert datum.data.startswith(b"\x89PNG")  # lossless, whatever the images are


def test_an_interrupted_conversion_continues_with_the_same_result(tmp_path: Path) -> None:
    sets.folders(tmp_path / "set", names="abcdefgh")
    convert(tmp_path / "set", tmp_path / "whole")

    def stop(done: int, total: int) -> None:
        assert total == 8
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as caught:
        convert(tmp_path / "set", tmp_path / "data", progress=stop)
    assert "data.partial: the same command resumes it" in caught.value.__notes__[0]
    assert not (tmp_path / "data").exists()
    with pytest.raises(UsageError, match="started with other settings: coding was not given, is"):
        convert(tmp_path / "set", tmp_path / "data", coding="numbers")
    told: list[int] = []
    convert(tmp_path / "set", tmp_path / "data", progress=lambda done, _: told.append(done))
    assert told[:2] == [3, 4]
    for part in ("train", "val"):
        found, expected = (sets.records(tmp_path / name, part) for name in ("data", "whole"))
        assert found.keys() == expected.keys()
        for key in found:
            np.testing.assert_array_equal(found[key][1], expected[key][1])
            np.testing.assert_array_equal(found[key][0], expected[key][0])


def test_a_label_picture_that_changed_in_between_is_told(tmp_path: Path) -> None:
    sets.folders(tmp_path / "set", names="abcdefgh")

    def stop(done: int, total: int) -> None:
        if done == total:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        convert(tmp_path / "set", tmp_path / "data", progress=stop)
    for name in "abcdefgh":
        sets.write_labels(tmp_path / "set" / "labels" / f"{name}.png", sets.classes_of(99))
    with pytest.raises(UsageError, match="record 0 was already written as"):
        convert(tmp_path / "set", tmp_path / "data")
    made = convert(tmp_path / "set", tmp_path / "data", restart=True)
    assert made.parts == {"train": 6, "val": 2}


def test_nothing_is_written_when_something_is_wrong(tmp_path: Path) -> None:
    sets.folders(tmp_path / "set")
    labels = tmp_path / "set" / "labels" / "d.png"

    def refused(message: str, kind: type[ProtonetError] = DataError, **options: object) -> None:
        with pytest.raises(kind, match=message):
            convert(tmp_path / "set", tmp_path / "data", **options)
        assert sorted(path.name for path in tmp_path.iterdir()) == ["set"]

    good = labels.read_bytes()
    labels.write_bytes(good[:60])
    refused(r"labels/d\.png: the image is damaged or cut short")
    sets.write_labels(labels, sets.classes_of(0)[:, :6])
    refused(r"labels/d\.png: is of width 6 and height 6, but its image .*d\.png of width 8 and")
    wrong = sets.classes_of(0)
    wrong[4, 5:7] = 7
    sets.write_labels(labels, wrong)
    names = tmp_path / "set" / "names.txt"
    names.write_text("ground\ncar\nsky\n")
    given = GivenClasses(classes=names)
    refused(
        r"d\.png: the number 7 of 2 pixel\(s\), the first in column 5, row 4, is of no class; "
        r"the classes are 0 to 2; --ignore 7 leaves such pixels out",
        classes=given,
    )
    labels.write_bytes(good)
    (tmp_path / "set" / "images" / "d.png").write_bytes(b"no image")
    refused(r"images/d\.png: the data is not an image")
    sets.write_image(tmp_path / "set" / "images" / "d.png", 3)
    (tmp_path / "set" / "images" / "e.png").write_bytes(good)
    refused("1 images without label picture: .*e.png; names must be equal before the ending")
    made = convert(tmp_path / "set", tmp_path / "data", only_pairs=True)
    assert made.counts == {"images without label picture left out": 1}


def test_images_of_different_sizes(tmp_path: Path) -> None:
    sets.folders(tmp_path / "set")
    image = sets.image_of(0)[:, :4]
    (tmp_path / "set" / "images" / "b.png").write_bytes(encode_image(image))
    sets.write_labels(tmp_path / "set" / "labels" / "b.png", sets.classes_of(0)[:4])
    with pytest.raises(DataError, match=r"--width and --height make all images of one size"):
        convert(tmp_path / "set", tmp_path / "data")
    convert(tmp_path / "set", tmp_path / "data", record=RecordFormat((4, 4), True, "png"))
