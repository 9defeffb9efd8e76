"""Whole conversions: every form to the records of convert_annoset; kills and resuming."""

from __future__ import annotations

import itertools
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from protonet.data.annotate import read_label_map
from protonet.data.annotated import read_annotated
from protonet.data.database import Database
from protonet.data.datum import decode_image
from protonet.data.detection import BoxOptions, DetectionInput, convert_detection
from protonet.data.detection_set import Division
from protonet.data.record_format import OWN, RecordFormat
from protonet.data.resize import fit
from protonet.errors import DataError, UsageError
from tests.data import detection_sets as sets

AS_IT_IS = RecordFormat(None, color=True, encoded=OWN)
FORMS: dict[str, Callable[[Path], Path]] = {
    "kitti": sets.kitti, "voc": sets.voc, "coco": sets.coco, "csv": sets.table,
}  # fmt: skip


@pytest.mark.parametrize("kind", FORMS)
def test_every_form_gives_the_same_records(tmp_path: Path, kind: str) -> None:
    root = FORMS[kind](tmp_path)
    (tmp_path / "val.txt").write_text("d\n")
    listed = Division(val_list=tmp_path / "val.txt") if kind in ("kitti", "csv") else Division()
    made = convert_detection(DetectionInput(root, division=listed), tmp_path / "out", AS_IT_IS)
    assert made.parts == {"train": 3, "val": 1}
    assert (made.boxes, made.classes) == (5, 3)
    assert made.counts == ({"regions of type DontCare left out": 4} if kind == "kitti" else {})
    found = sets.records(tmp_path / "out" / "train_images")
    stems = [Path(key).stem[-1] for key in found]
    assert sorted(stems) == ["a", "b", "c"]
    for place, (key, boxes) in enumerate(found.items()):
        assert key.startswith(f"{place:08d}_")
        assert boxes == sets.expected(stems[place], marked=kind != "kitti")
    (name,) = sets.records(tmp_path / "out" / "val_images")
    base = {"kitti": "images/", "voc": "JPEGImages/", "coco": "val2017/", "csv": "photos/"}[kind]
    assert name == f"00000000_{base}d.{'jpg' if kind in ('voc', 'coco') else 'png'}"
    assert (tmp_path / "out" / "test_name_size.txt").read_text() == "d 24 48\n"
    classes = read_label_map(tmp_path / "out" / "labelmap.prototxt").item
    names = {"coco": ["3", "18", "70"]}.get(kind, ["car", "dog", "van"])
    assert [(each.name, each.label, each.display_name) for each in classes] == [
        ("none_of_the_above", 0, "background"), (names[0], 1, "car"), (names[1], 2, "dog"),
        (names[2], 3, "van"),
    ]  # fmt: skip
    assert not (tmp_path / "out.partial").exists()


def test_images_that_are_checked_are_counted(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    given = DetectionInput(sets.kitti(tmp_path), division=Division(val_share=0.25))
    convert_detection(
        given, tmp_path / "out", AS_IT_IS, checking=lambda done, total: told.append((done, total))
    )
    assert told == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_files_are_stored_as_they_are(tmp_path: Path) -> None:
    root = sets.voc(tmp_path)
    convert_detection(DetectionInput(root), tmp_path / "out", AS_IT_IS)
    with Database(tmp_path / "out" / "val_images") as database:
        (key,) = database.keys()
        datum = database.annotated(key).datum
        assert datum.data == (root / "JPEGImages" / "d.jpg").read_bytes()
        assert datum.encoded


@pytest.mark.parametrize("how", ["squash", "crop", "fill", "half-crop"])
def test_boxes_follow_resized_images(tmp_path: Path, how: str) -> None:
    """The corner of a box is at the same pixels of the picture."""
    sets.table(tmp_path)
    lines = "photos/d.png,van,12,6,36,18\nphotos/a.png,car,0,0,2,2\n"
    (tmp_path / "boxes.csv").write_text(lines)
    form = RecordFormat((20, 20), color=True, encoded="png", fit=how)
    (tmp_path / "val.txt").write_text("d.png\n")
    given = DetectionInput(tmp_path / "boxes.csv", division=Division(val_list=tmp_path / "val.txt"))
    made = convert_detection(given, tmp_path / "out", form)
    # Of height 24 and width 48 to 20 x 20, by hand: scale, and what is cut off or filled.
    (boxes,) = sets.records(tmp_path / "out" / "val_images").values()
    corners = {
        "squash": [12 / 48, 6 / 24, 36 / 48, 18 / 24],
        "crop": [0, 6 / 24, 1, 18 / 24],
        "fill": [5 / 20, 7.5 / 20, 15 / 20, 12.5 / 20],
        "half-crop": [(7.5 - 5) / 20, (3.75 + 2) / 20, (22.5 - 5) / 20, (11.25 + 2) / 20],
    }[how]
    np.testing.assert_allclose(boxes[0][2], corners, atol=1e-6)
    sizes = (tmp_path / "out" / "test_name_size.txt").read_text()
    assert sizes == ("d 24 48\n" if how == "squash" else "d 20 20\n")
    lost = {"boxes whose centres are cropped away left out": 1}
    assert made.counts == (lost if how in ("crop", "half-crop") else {})
    with Database(tmp_path / "out" / "val_images") as database:
        (key,) = database.keys()
        image = read_annotated(database, key).image
    original = decode_image((tmp_path / "photos" / "d.png").read_bytes(), "")
    np.testing.assert_array_equal(image, fit(original, 20, 20, how))


def test_digits_options_for_kitti(tmp_path: Path) -> None:
    """Images are padded, then resized; small boxes of validation and other classes are left out;
    the boxes are stored for DetectNet too.
    """
    root = sets.kitti(tmp_path)
    (tmp_path / "val.txt").write_text("a\n")
    made = convert_detection(
        DetectionInput(
            root,
            division=Division(val_list=tmp_path / "val.txt"),
            classes=["dontcare", "dog", "car"],
        ),
        tmp_path / "out",
        RecordFormat((40, 100), color=True, encoded="png", pad=(80, 50)),
        options=BoxOptions(val_least=16, detectnet=True),
    )
    assert made.counts == {
        "boxes below the least size left out": 1,
        "boxes of other classes left out": 1,
        "regions of type DontCare left out": 4,
    }
    (boxes,) = sets.records(tmp_path / "out" / "val_images").values()
    expected = [[10 / 50, 2 / 80, 30 / 50, 18 / 80], [0, 0, 40 / 50, 20 / 80]]
    found = {box[0]: box[2] for box in boxes}
    np.testing.assert_allclose([found[2], found[1]], expected, atol=1e-6)
    assert (tmp_path / "out" / "test_name_size.txt").read_text() == "a 80 50\n"
    with Database(tmp_path / "out" / "val_images") as database:
        (key,) = database.keys()
        padded = np.zeros((3, 80, 50), np.uint8)
        padded[:, :20, :40] = sets.image("a")
        np.testing.assert_array_equal(database.image(key)[0], fit(padded, 40, 100, "squash"))
    with Database(tmp_path / "out" / "val_boxes") as database:
        assert database.keys() == [key]
        table = database.image(key)[0]
    assert table.shape == (1, 3, 16)
    assert table[0, 0, :2].tolist() == [2, 16]
    # x, y, width, height in pixels of the record, alpha, class; the depth is last
    np.testing.assert_allclose(
        table[0, 1:, [0, 1, 2, 3, 4, 5, -1]].T,
        [[20, 1, 40, 8, -1.57, 2, 9], [0, 0, 80, 10, -1.57, 1, 9]],
        rtol=1e-5,
    )


def test_images_that_are_larger_than_the_padding(tmp_path: Path) -> None:
    root = sets.kitti(tmp_path)
    form = RecordFormat(None, color=True, encoded="png", pad=(30, 40))
    with pytest.raises(DataError, match=r"d.png: the image is 48x24, larger than the 40x30"):
        convert_detection(DetectionInput(root), tmp_path / "out", form)


def test_mistakes_leave_nothing(tmp_path: Path) -> None:
    root = sets.table(tmp_path)
    with root.open("a") as file:
        file.write("photos/d.png,van,12,6,52,18,0\n")
    given = DetectionInput(root)
    with pytest.raises(DataError, match=r"boxes\.csv:8: the box 12 6 52 18 exceeds the image of "):
        convert_detection(given, tmp_path / "out", AS_IT_IS)
    assert not (tmp_path / "out.partial").exists()
    made = convert_detection(given, tmp_path / "out", AS_IT_IS, options=BoxOptions(True))
    assert made.counts == {"boxes clipped to their images": 1}
    with pytest.raises(UsageError, match="out: exists already"):
        convert_detection(given, tmp_path / "out", AS_IT_IS)


def test_roots_that_do_not_suit(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="none: there is no such file or folder"):
        DetectionInput(tmp_path / "none").read()
    with pytest.raises(UsageError, match=r"expected images and labels \(KITTI\), JPEGImages"):
        DetectionInput(tmp_path).read()
    root = sets.voc(tmp_path / "voc")
    with pytest.raises(UsageError, match=r"--images does not apply: .* of the form voc"):
        DetectionInput(root, images=tmp_path).read()


CONVERT = """
import sys
from pathlib import Path
import protonet.data.writer as writer
from protonet.data.detection import BoxOptions, DetectionInput, convert_detection
from protonet.data.detection_set import Division
from protonet.data.record_format import RecordFormat
writer._BATCH_RECORDS = 5
folder = Path(sys.argv[1])
def say(done, total):
    print(done, flush=True)
    sys.stdin.readline()
convert_detection(
    DetectionInput(folder / "boxes.csv", division=Division(val_share=0.25, seed=3)),
    folder / "out", RecordFormat((8, 8), True, "png"), progress=say,
    options=BoxOptions(detectnet=True))
"""
"""A conversion that waits for a word after every record."""


def conversion(folder: Path) -> Iterator[str]:
    """The counts of a conversion in a process of its own; killed where no more is wanted."""
    with subprocess.Popen(
        [sys.executable, "-c", CONVERT, str(folder)], stdin=subprocess.PIPE,
        stdout=subprocess.PIPE, text=True, bufsize=1,
    ) as child:  # fmt: skip
        assert child.stdin is not None
        assert child.stdout is not None
        try:
            for line in child.stdout:
                yield line.strip()
                child.stdin.write("\n")
        finally:
            child.send_signal(signal.SIGKILL)


def contents(folder: Path) -> dict[str, object]:
    """Everything that a conversion made."""
    found: dict[str, object] = {
        path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()
    }
    for part in ("train_images", "val_images"):
        with Database(folder / part) as database:
            found[part] = [(key, database.annotated(key)) for key in list(database.keys())]
    for part in ("train_boxes", "val_boxes"):
        with Database(folder / part) as database:
            found[part] = list(database)
    return found


def test_kills_at_any_moment_change_nothing(tmp_path: Path) -> None:
    sets.save(tmp_path, "a")
    lines = []
    for number in range(24):
        (tmp_path / f"{number}.png").write_bytes((tmp_path / "a.png").read_bytes())
        lines.append(f"{number}.png,c{number % 3},{number / 2},1,30,{number / 4 + 8}\n")
    (tmp_path / "boxes.csv").write_text("".join(lines))
    list(conversion(tmp_path))
    whole = contents(tmp_path / "out")
    assert len(whole) == 6
    keys = [[key for key, _ in whole[f"train_{what}"]] for what in ("images", "boxes")]
    assert keys[0] == keys[1]
    (tmp_path / "out").rename(tmp_path / "whole")
    starts = []
    for moment in (3, 9, 18, 22, 24):
        running = conversion(tmp_path)
        told = list(itertools.takewhile(lambda line, end=moment: int(line) < end, running))
        starts.append((told or [""])[0])
        running.close()
        assert not (tmp_path / "out").exists()
    starts.append(next(iter(conversion(tmp_path))))
    assert starts == ["0", "0", "5", "15", "18", "18"]
    list(conversion(tmp_path))
    assert contents(tmp_path / "out") == whole
    assert not (tmp_path / "out.partial").exists()


def test_a_repaired_image_is_enough_to_go_on(tmp_path: Path) -> None:
    root = sets.table(tmp_path)
    path = tmp_path / "photos" / "b.png"
    intact = path.read_bytes()
    path.write_bytes(intact[:60])
    given = DetectionInput(root, division=Division(val_share=0))
    pixels = RecordFormat(None, color=True)
    with pytest.raises(DataError, match=r"boxes\.csv:5: photos/b\.png: the image is damaged"):
        convert_detection(given, tmp_path / "out", pixels)
    path.write_bytes(intact)
    seen: list[int] = []
    convert_detection(given, tmp_path / "out", pixels, progress=lambda done, _: seen.append(done))
    assert seen[-1] == 4
    assert len(sets.records(tmp_path / "out" / "train_images")) == 4
    assert not (tmp_path / "out" / "test_name_size.txt").exists()


def test_other_settings_are_not_mixed(tmp_path: Path) -> None:
    root = sets.table(tmp_path)
    path = tmp_path / "photos" / "d.png"
    intact = path.read_bytes()
    path.write_bytes(intact[:60])
    everything = DetectionInput(root, division=Division(val_share=0))
    with pytest.raises(DataError):
        convert_detection(everything, tmp_path / "out", RecordFormat(None, color=True))
    with pytest.raises(UsageError, match="width was not given, is now 9"):
        convert_detection(everything, tmp_path / "out", RecordFormat((9, 9), color=True))
    path.write_bytes(intact)
    convert_detection(everything, tmp_path / "out", RecordFormat((9, 9), color=True), restart=True)
