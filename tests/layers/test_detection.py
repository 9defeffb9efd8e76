"""DetectionOutput."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from protonet.errors import LayerError
from protonet.testing import LayerHarness

VARIANCE = [0.5, 0.25, 0.5, 0.25]
BOXES = np.array([[0, 0, 1.0, 0.5], [0.1, 0, 1.1, 0.5], [0, 0.5, 0.25, 1], [0.5, 0, 1, 0.25]])
PRIORS = np.stack([BOXES, np.tile(VARIANCE, (4, 1))]).reshape(1, 2, 16)
# Boxes 0 and 1 overlap by 0.9 / 1.1 = 0.82, boxes 0 and 3 by a quarter, and others do not.
SCORES = np.array([[0.3, 0.6, 0.1], [0.2, 0.1, 0.7], [0.1, 0.8, 0.1], [0.5, 0.25, 0.25]])


def detector(fields: str = "", loc: object = None, conf: object = SCORES) -> LayerHarness:
    conf = np.reshape(conf, (-1, 12))
    if loc is None:
        loc = np.zeros((len(conf), 16))
    text = f'type: "DetectionOutput" detection_output_param {{ num_classes: 3 {fields} }}'
    return LayerHarness(text, [loc, conf, PRIORS])


def rows(harness: LayerHarness) -> np.ndarray:
    """What was found."""
    (top,) = harness.forward()
    found: np.ndarray = top[0, 0]
    return found


def found(harness: LayerHarness) -> list[list[float]]:
    """Image, label, the number of the prior that was found, and its score."""
    return [
        [int(row[0]), int(row[1]), int(np.abs(BOXES - row[3:]).sum(axis=1).argmin()),
         round(float(row[2]), 3)]
        for row in rows(harness)
    ]  # fmt: skip


def test_boxes_stay_that_overlap_no_better_one_of_their_class() -> None:
    assert found(detector("nms_param { nms_threshold: 0.5 }")) == [
        [0, 1, 2, 0.8],
        [0, 1, 0, 0.6],
        [0, 1, 3, 0.25],
        [0, 2, 1, 0.7],
        [0, 2, 3, 0.25],
        [0, 2, 2, 0.1],
    ]
    assert len(found(detector("nms_param { nms_threshold: 0.9 }"))) == 8
    assert [row[2] for row in found(detector("nms_param { nms_threshold: 0.2 }"))] == [2, 0, 1, 2]


def test_rows_hold_image_label_score_and_corners() -> None:
    harness = detector("confidence_threshold: 0.65", conf=np.stack([SCORES, SCORES / 2, SCORES]))
    np.testing.assert_allclose(
        rows(harness),
        [
            [0, 1, 0.8, 0, 0.5, 0.25, 1],
            [0, 2, 0.7, 0.1, 0, 1.1, 0.5],
            [2, 1, 0.8, 0, 0.5, 0.25, 1],
            [2, 2, 0.7, 0.1, 0, 1.1, 0.5],
        ],
        rtol=1e-6,
    )


def test_a_score_must_be_above_the_threshold() -> None:
    assert found(detector("confidence_threshold: 0.7", conf=SCORES.astype(np.float32))) == [
        [0, 1, 2, 0.8]
    ]


def test_where_nothing_is_found_each_image_has_a_row() -> None:
    harness = detector("confidence_threshold: 0.9", conf=np.stack([SCORES, SCORES]))
    none = [-1] * 6
    assert rows(harness).tolist() == [[0, *none], [1, *none]]
    harness.inputs[1][1, 4] = 0.95
    assert found(harness) == [[1, 1, 1, 0.95]]
    harness.inputs[1].fill(np.nan)
    assert rows(harness).tolist() == [[0, *none], [1, *none]]
    assert rows(detector("keep_top_k: 0")).tolist() == [[0, *none]]
    assert rows(detector("nms_param { top_k: 0 }")).tolist() == [[0, *none]]


def test_of_no_images_there_are_no_rows() -> None:
    """As after a Filter that left none."""
    assert rows(detector(conf=np.zeros((0, 12)))).shape == (0, 7)


def test_the_best_of_all_classes_are_kept_and_stay_in_order() -> None:
    fields = "nms_param { nms_threshold: 0.5 } keep_top_k: "
    assert found(detector(fields + "4")) == [
        [0, 1, 2, 0.8],
        [0, 1, 0, 0.6],
        [0, 1, 3, 0.25],
        [0, 2, 1, 0.7],
    ]
    assert found(detector(fields + "2")) == [[0, 1, 2, 0.8], [0, 2, 1, 0.7]]


def test_top_k_is_of_each_class_before_the_thinning() -> None:
    fields = "nms_param { nms_threshold: 0.5 top_k: 2 } background_label_id: 2"
    assert [row[1:3] for row in found(detector(fields))] == [[0, 3], [0, 0], [1, 2], [1, 0]]


def test_eta_lowers_the_threshold() -> None:
    fields = "nms_param { nms_threshold: 0.82 eta: 0.9 } background_label_id: 2"
    given = [row[2] for row in found(detector(fields)) if row[1] == 0]
    assert given == [3, 0, 2]


def test_without_a_background_every_class_counts() -> None:
    labels = {row[1] for row in found(detector("background_label_id: -1"))}
    assert labels == {0, 1, 2}


ONLY_THIRD = np.zeros((4, 3))
ONLY_THIRD[2, 1] = 1


@pytest.mark.parametrize(
    ("fields", "offsets", "box"),
    [
        ("", [1, 1, 1, -1], [0.5, 0.75, 0.75, 0.75]),
        ("variance_encoded_in_target: true", [1, 1, 1, -1], [1, 1.5, 1.25, 0]),
        ("code_type: CORNER_SIZE", [1, 1, 1, -1], [0.125, 0.625, 0.375, 0.875]),
        (
            "code_type: CENTER_SIZE",
            [1, -1, 2 * np.log(2), 4 * np.log(0.5)],
            [0, 0.5, 0.5, 0.75],
        ),
        (
            "code_type: CENTER_SIZE variance_encoded_in_target: true",
            [1, -1, np.log(2), np.log(0.5)],
            [0.125, 0.125, 0.625, 0.375],
        ),
    ],
)
def test_offsets_move_the_priors(fields: str, offsets: list[float], box: list[float]) -> None:
    """The third prior is 0.25 x 0.5, around (0.125, 0.75)."""
    loc = np.zeros((1, 4, 4))
    loc[0, 2] = offsets
    harness = detector(f"{fields} confidence_threshold: 0.5", loc.reshape(1, 16), ONLY_THIRD)
    np.testing.assert_allclose(rows(harness), [[0, 1, 1, *box]], rtol=1e-6)


def test_each_class_may_have_its_own_offsets() -> None:
    loc = np.zeros((1, 4, 3, 4))
    loc[0, 2, 1], loc[0, 1, 2], loc[0, :, 0] = 1, 2, 9
    harness = detector(
        "share_location: false confidence_threshold: 0.65", loc.reshape(1, 48), SCORES
    )
    np.testing.assert_allclose(
        rows(harness)[:, 3:], [BOXES[2] + VARIANCE, BOXES[1] + 2 * np.array(VARIANCE)], rtol=1e-6
    )


def test_a_net_that_went_astray_gives_no_warning() -> None:
    assert np.isfinite(rows(detector("code_type: CENTER_SIZE"))).all()
    loc = np.full((1, 16), 1e9)
    assert len(rows(detector("code_type: CENTER_SIZE", loc)))


def test_measuring_first_gives_the_same() -> None:
    harness = detector("confidence_threshold: 0.65")
    expected = rows(harness)
    layer = harness.layer
    assert layer.measure(harness.bottoms) == [(1, 1, 2, 7)]
    tops = [np.zeros((1, 1, 2, 7), np.float32)]
    layer.forward(harness.bottoms, tops)
    np.testing.assert_array_equal(tops[0][0, 0], expected)


D = "detection_output_param"
SHAPES = ((2, 16), (2, 12), (1, 2, 16))


@pytest.mark.parametrize(
    ("fields", "shapes", "message", "path"),
    [
        (
            f"{D} {{ }}",
            SHAPES,
            "num_classes is missing: expected a count of 1 or more",
            (D,),
        ),
        (
            f"{D} {{ num_classes: 3 nms_param {{ nms_threshold: -1 }} }}",
            SHAPES,
            "expected nms_threshold of 0 or more, got -1",
            (D, "nms_param", "nms_threshold"),
        ),
        (
            f"{D} {{ num_classes: 3 nms_param {{ eta: 1.5 }} }}",
            SHAPES,
            "expected eta above 0 and up to 1, got 1.5",
            (D, "nms_param", "eta"),
        ),
        (
            f"{D} {{ num_classes: 3 visualize: true }}",
            SHAPES,
            "visualize is not supported",
            (D, "visualize"),
        ),
        (
            f"{D} {{ num_classes: 3 }} loss_weight: 1",
            SHAPES,
            "boxes have no gradient and cannot be part of the objective",
            ("loss_weight",),
        ),
        (
            f"{D} {{ num_classes: 3 }}",
            ((2, 16), (2, 12), (1, 1, 16)),
            "expected boxes and variances, 1 x 2 x (4 for each prior), in 'x2', got 1x1x16",
            ("bottom", 2),
        ),
        (
            f"{D} {{ num_classes: 3 }}",
            ((2, 16), (2, 12), (1, 2, 18)),
            "expected boxes and variances, 1 x 2 x (4 for each prior), in 'x2', got 1x2x18",
            ("bottom", 2),
        ),
        (
            f"{D} {{ num_classes: 3 }}",
            ((2, 12), (2, 12), (1, 2, 16)),
            "expected 16 values per image in 'x0', 4 for each of 4 priors, got 2x12",
            ("bottom", 0),
        ),
        (
            f"{D} {{ num_classes: 3 share_location: false }}",
            SHAPES,
            "expected 48 values per image in 'x0', 4 for each of 4 priors and 3 classes, got 2x16",
            ("bottom", 0),
        ),
        (
            f"{D} {{ num_classes: 5 }}",
            SHAPES,
            "expected 20 values per image in 'x1', one for each of 4 priors and 5 classes, got "
            "2x12",
            ("bottom", 1),
        ),
        (
            f"{D} {{ num_classes: 3 }}",
            ((2, 16), (3, 12), (1, 2, 16)),
            "expected as many images in 'x1' as in 'x0', 2, got 3",
            ("bottom", 1),
        ),
    ],
)
def test_mistakes(
    fields: str,
    shapes: tuple[tuple[int, ...], ...],
    message: str,
    path: tuple[str | int, ...],
) -> None:
    with pytest.raises(LayerError) as caught:
        LayerHarness(f'type: "DetectionOutput" {fields}', [np.ones(shape) for shape in shapes])
    assert (str(caught.value), caught.value.path) == (message, path)


def test_nothing_is_written_and_nothing_deleted(tmp_path: Path) -> None:
    """The forks empty the directory."""
    (tmp_path / "kept.txt").write_text("mine")
    harness = detector(
        f'save_output_param {{ output_directory: "{tmp_path}" output_format: "VOC" '
        'label_map_file: "b" name_size_file: "c" num_test_image: 9 }'
    )
    assert rows(harness).tolist() == rows(detector()).tolist()
    assert [path.name for path in tmp_path.iterdir()] == ["kept.txt"]


def test_polygons_move_the_corners_of_the_prior() -> None:
    """Of 12 offsets the last 8, in widths and heights times the first two variances."""
    generator = np.random.default_rng(5)
    loc = generator.normal(0, 0.2, (1, 4, 12))
    fields = "code_type: CENTER_SIZE confidence_threshold: 0.55"
    plain = rows(detector(fields, loc[..., :4].reshape(1, 16)))
    found = rows(detector(f"{fields} use_polygon: true", loc.reshape(1, 48)))
    assert found.shape == (3, 15)
    np.testing.assert_array_equal(found[:, :7], plain)
    for row, prior in zip(found, [2, 0, 1], strict=True):
        x0, y0, x1, y1 = BOXES[prior]
        corners = [(x0, y0), (x1, y0), (x1, y1), (x0, y1)]
        shifts = loc[0, prior, 4:].reshape(4, 2) * [0.5 * (x1 - x0), 0.25 * (y1 - y0)]
        np.testing.assert_allclose(row[7:], (corners + shifts).ravel(), rtol=1e-5)


def test_nothing_found_is_a_row_of_15_with_polygons() -> None:
    fields = "code_type: CENTER_SIZE use_polygon: true confidence_threshold: 2"
    assert rows(detector(fields, np.zeros((1, 48)))).tolist() == [[0, *[-1] * 14]]


def test_polygons_need_their_code_and_twelve_offsets() -> None:
    with pytest.raises(LayerError, match="use_polygon needs code_type: CENTER_SIZE"):
        detector("use_polygon: true", np.zeros((1, 48)))
    with pytest.raises(LayerError, match=r"expected 48 values per image in .*, 12 for each of 4"):
        detector("use_polygon: true code_type: CENTER_SIZE", np.zeros((1, 16)))
