"""DetectionEvaluate."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from protonet.errors import LayerError
from protonet.testing import LayerHarness

BOX, NEAR, FAR = [0.2, 0.2, 0.6, 0.6], [0.2, 0.3, 0.6, 0.6], [0.7, 0.7, 0.9, 0.9]
P = "detection_evaluate_param"


def truth(image: int, label: float, box: list[float], difficult: int = 0) -> list[float]:
    return [image, label, 0, *box, difficult]


def evaluated(
    found: list[list[float]], truths: list[list[float]], fields: str = "num_classes: 3"
) -> list[list[float]]:
    bottoms = [np.reshape(found, (1, 1, -1, 7)), np.reshape(truths, (1, 1, -1, 8))]
    harness = LayerHarness(f'type: "DetectionEvaluate" {P} {{ {fields} }}', bottoms)
    (top,) = harness.forward()
    assert top.shape[:2] == (1, 1)
    return [[round(float(value), 3) for value in row] for row in top[0, 0]]


def test_an_object_is_found_once() -> None:
    """By the box of the largest score; the second of it, and one beside it, are false."""
    found = [[0, 1, 0.5, *NEAR], [0, 1, 0.8, *BOX], [0, 1, 0.9, *FAR]]
    assert evaluated(found, [truth(0, 1, BOX), truth(0, 2, FAR)]) == [
        [-1, 1, 1, -1, -1],
        [-1, 2, 1, -1, -1],
        [0, 1, 0.9, 0, 1],
        [0, 1, 0.8, 1, 0],
        [0, 1, 0.5, 0, 1],
    ]


def test_rows_stand_by_image_and_label_and_unsorted_where_there_is_no_object() -> None:
    found = [[1, 2, 0.1, *BOX], [1, 2, 0.9, *BOX], [0, 2, 0.3, *BOX], [0, 1, 0.2, *BOX]]
    rows = evaluated([*found, [2, -1, -1, -1, -1, -1, -1]], [truth(0, 2, NEAR), [-1] * 8])
    assert rows[2:] == [[0, 1, 0.2, 0, 1], [0, 2, 0.3, 1, 0], [1, 2, 0.1, 0, 1], [1, 2, 0.9, 0, 1]]


def test_a_difficult_object_may_count_for_nothing() -> None:
    truths = [truth(0, 1, BOX, difficult=1)]
    found = [[0, 1, 0.8, *BOX], [0, 1, 0.7, *FAR]]
    assert [row[2:] for row in evaluated(found, truths)] == [
        [1, -1, -1], [0, -1, -1], [0.8, 1, 0], [0.7, 0, 1]]  # fmt: skip
    easy = evaluated(found, truths, "num_classes: 3 evaluate_difficult_gt: false")
    assert [row[2:] for row in easy] == [[0, -1, -1], [0, -1, -1], [0.8, 0, 0], [0.7, 0, 1]]


def test_overlap_at_the_threshold_is_enough() -> None:
    """NEAR covers three quarters of BOX."""
    rows = [evaluated([[0, 1, 0.5, *NEAR]], [truth(0, 1, BOX)],
                      f"num_classes: 2 overlap_threshold: {least}")[1]
            for least in (0.7499, 0.7501)]  # fmt: skip
    assert [row[3:] for row in rows] == [[1, 0], [0, 1]]


def test_sizes_of_images_make_boxes_whole_pixels(tmp_path: Path) -> None:
    """Of 10 x 10 pixels: 5 x 4 of 5 x 5 pixels instead of 4 x 3 of 4 x 4. The second image of the
    file is so large that a pixel does not count; then the file begins again.
    """
    sizes = tmp_path / "sizes.txt"
    sizes.write_text("one 10 10\n\ntwo 100000 100000\n")
    fields = f'num_classes: 2 overlap_threshold: 0.78 name_size_file: "{sizes}"'
    found = [[image, 1, 0.5, *NEAR] for image in range(3)]
    rows = evaluated(found, [truth(image, 1, BOX) for image in range(3)], fields)
    assert [row[3:] for row in rows[1:]] == [[1, 0], [0, 1], [1, 0]]
    over = [truth(0, 1, [0.5, 0.5, 1, 1])]
    clipped = evaluated([[0, 1, 0.5, 0.5, 0.5, 9, 9]], over, fields)
    assert clipped[1][3:] == [1, 0]


def test_where_the_file_of_sizes_stands_is_part_of_the_state(tmp_path: Path) -> None:
    sizes = tmp_path / "sizes.txt"
    sizes.write_text("one 10 10\ntwo 99 99\n")
    text = f'type: "DetectionEvaluate" {P} {{ num_classes: 2 name_size_file: "{sizes}" }}'
    bottoms = [np.array([[0, 1, 0.5, *BOX]]), np.array([truth(0, 1, BOX)])]
    first, second = (LayerHarness(text, bottoms) for _ in range(2))
    first.forward()
    assert first.layer.state() == {"seen": 1}
    second.layer.restore(first.layer.state())
    assert second.layer.state() == {"seen": 1}


@pytest.mark.parametrize(
    ("fields", "message", "path"),
    [
        ("", "num_classes is missing: expected a count of 1 or more", (P,)),
        (
            "num_classes: 2 overlap_threshold: 0",
            "expected overlap_threshold above 0, got 0",
            (P, "overlap_threshold"),
        ),
        (
            'num_classes: 2 name_size_file: "none.txt"',
            "none.txt: cannot be read: No such file or directory",
            (P, "name_size_file"),
        ),
        (
            'num_classes: 2 name_size_file: "a" resize_param { resize_mode: FIT_SMALL_SIZE }',
            "boxes of images that were not warped to the net's size cannot be mapped back",
            (P, "resize_param"),
        ),
    ],
)  # fmt: skip
def test_mistakes(fields: str, message: str, path: tuple[str, ...]) -> None:
    with pytest.raises(LayerError) as caught:
        evaluated([[0] * 7], [[0] * 8], fields)
    assert (str(caught.value), caught.value.path) == (message, path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("one 10\n", "sizes.txt:1: expected a name, height and width, got 'one 10'"),
        ("a 1 2\nb x 2\n", "sizes.txt:2: expected a name, height and width, got 'b x 2'"),
        ("\n", "sizes.txt: names no image"),
    ],
)
def test_files_of_sizes_that_cannot_be(tmp_path: Path, text: str, message: str) -> None:
    sizes = tmp_path / "sizes.txt"
    sizes.write_text(text)
    with pytest.raises(LayerError) as caught:
        evaluated([[0] * 7], [[0] * 8], f'num_classes: 2 name_size_file: "{sizes}"')
    assert str(caught.value) == str(tmp_path) + "/" + message


def test_labels_that_cannot_be() -> None:
    with pytest.raises(LayerError, match="label 3 in 'x0' is not one of 1 to 2"):
        evaluated([[0, 3, 0.5, *BOX]], [truth(0, 1, BOX)])
    with pytest.raises(LayerError, match="label 0 in 'x1' is not one of 1 to 2") as caught:
        evaluated([[0, 1, 0.5, *BOX]], [truth(0, 0, BOX)])
    assert caught.value.path == ("bottom", 1)


def test_bottoms_that_do_not_fit() -> None:
    text = f'type: "DetectionEvaluate" {P} {{ num_classes: 2 }}'
    with pytest.raises(LayerError, match="expected rows of 7 values in 'x0', got 1x1x2x8"):
        LayerHarness(text, [np.zeros((1, 1, 2, 8)), np.zeros((1, 1, 2, 8))])
    with pytest.raises(LayerError, match="expected rows of 8 values in 'x1', got 1x1x2x7"):
        LayerHarness(text, [np.zeros((1, 1, 2, 7)), np.zeros((1, 1, 2, 7))])
    with pytest.raises(LayerError, match="counts have no gradient"):
        LayerHarness(f"{text} loss_weight: 1", [np.zeros((1, 1, 2, 7)), np.zeros((1, 1, 2, 8))])
