"""DetectNet's images, boxes and grid: numbers worked out by hand, and boxes that stay on things."""

from __future__ import annotations

import numpy as np
import pytest

from protonet.data.detectnet import (
    Augmentation,
    CoverageGrid,
    augment_boxes,
    augment_image,
    draw_augmentation,
    rotated,
    rotated_size,
    shift_colour,
)
from protonet.proto.caffe_pb2 import (
    DetectNetAugmentationParameter,
    DetectNetGroundTruthParameter,
)

SIZE = (16, 24)
IMAGE = np.random.default_rng(0).uniform(0, 255, (3, *SIZE)).astype(np.float32)


def boxes(*rows: tuple[float, ...]) -> np.ndarray:
    table = np.zeros((len(rows), 16), np.float32)
    table[:, 5] = 1
    for place, row in enumerate(rows):
        table[place, :4] = row
    return table


def test_nothing_chosen_takes_the_mean_off() -> None:
    mean = np.array([1, 2, 3], np.float32)[:, None, None]
    found = augment_image(IMAGE, Augmentation(SIZE), SIZE, mean)
    np.testing.assert_allclose(found, IMAGE - mean, atol=1e-4)


def test_a_cut_beyond_the_image_is_black() -> None:
    found = augment_image(IMAGE, Augmentation(SIZE, offset=(-2, 20)), (6, 8), None)
    np.testing.assert_allclose(found[:, 2:, :4], IMAGE[:, :4, 20:], atol=1e-4)
    assert not found[:, :2].any()
    assert not found[:, :, 4:].any()
    assert not augment_image(IMAGE, Augmentation(SIZE, offset=(99, 0)), (6, 8), None).any()


def test_a_flip_keeps_the_fork_s_pixel() -> None:
    augmentation = Augmentation(SIZE, flip=True)
    np.testing.assert_allclose(
        augment_image(IMAGE, augmentation, SIZE, None), IMAGE[:, :, ::-1], atol=1e-4
    )
    assert augment_boxes(boxes((2, 3, 5, 4)), augmentation, SIZE)[0, :4].tolist() == [16, 3, 5, 4]


def test_boxes_are_scaled_and_moved() -> None:
    found = augment_boxes(boxes((2, 4, 6, 8)), Augmentation((32, 12), offset=(3, -1)), SIZE)
    assert found[0, :4].tolist() == [2, 5, 3, 16]


def test_a_quarter_turn() -> None:
    # A corner more than the image on each axis, since pixels are counted from edge to edge.
    assert rotated_size((4, 6), 90) == (7, 5)
    found = rotated(IMAGE, 90)
    assert found.shape[1:] == (25, 17)
    spot = np.zeros((3, *SIZE), np.float32)
    spot[:, 2:5, 3:7] = 1
    rows, columns = np.nonzero(rotated(spot, 90)[0] > 0.5)
    (box,) = augment_boxes(boxes((3, 2, 4, 3)), Augmentation(SIZE, rotation=90), SIZE)
    # The middle is where the spot is; width and height stay.
    assert abs(columns.mean() + 0.5 - (box[0] + box[2] / 2)) < 1.5
    assert abs(rows.mean() + 0.5 - (box[1] + box[3] / 2)) < 1.5
    assert box[2:4].tolist() == [4, 3]


def test_colours() -> None:
    red = np.array([0, 0, 1], np.float32)[:, None, None]
    np.testing.assert_allclose(shift_colour(red, 120, 1).ravel(), [0, 1, 0], atol=1e-6)
    np.testing.assert_allclose(shift_colour(red, -120, 1).ravel(), [1, 0, 0], atol=1e-6)
    np.testing.assert_allclose(shift_colour(red, 0, 0.25).ravel(), [0.75, 0.75, 1], atol=1e-6)
    image = IMAGE / 255
    np.testing.assert_allclose(shift_colour(image, 0, 1), image, atol=1e-5)
    black = np.zeros((3, 1, 1), np.float32)
    assert not shift_colour(black, 30, 0.5).any()


def test_what_chance_may_choose() -> None:
    param = DetectNetAugmentationParameter(
        shift_x=6, shift_y=4, scale_min=0.5, scale_max=1.5, max_rotate_degree=5, hue_rotation=15
    )
    random = np.random.default_rng(0)
    found = [draw_augmentation(param, SIZE, (8, 8), random) for _ in range(400)]
    for field, still in (("hue", 0), ("saturation", 1), ("rotation", 0), ("scale", SIZE)):
        moved = sum(getattr(augmentation, field) != still for augmentation in found)
        assert 90 < moved < 180, field
    assert max(abs(augmentation.rotation) for augmentation in found) <= 5
    assert max(abs(augmentation.hue) for augmentation in found) <= 15
    assert min(augmentation.saturation for augmentation in found) >= 0.5
    plain = [c for c in found if c.scale == SIZE and not c.rotation]
    # Half of the shift on both sides of the 8x8 that fit into 16x24.
    assert {-2, 10} <= {augmentation.offset[0] for augmentation in plain} <= set(range(-2, 11))
    assert min(augmentation.offset[1] for augmentation in plain) < 0
    assert max(augmentation.offset[1] for augmentation in plain) > 16
    still = DetectNetAugmentationParameter(
        crop_prob=-1, scale_prob=-1, flip_prob=-1, rotation_prob=-1, hue_rotation_prob=-1,
        desaturation_prob=-1,
    )  # fmt: skip
    assert draw_augmentation(still, SIZE, (8, 8), random) == Augmentation(SIZE, (4, 8))


def write(rows: np.ndarray, **fields: object) -> np.ndarray:
    param = DetectNetGroundTruthParameter(
        image_size_x=24,
        image_size_y=16,
        stride=8,
        **fields,
    )
    grid = CoverageGrid(param)
    out = np.full((grid.maps, *grid.cells), np.nan, np.float32)
    grid.write(rows, out)
    return out


def test_a_box_on_the_grid() -> None:
    """12x8 at (6, 2): its middle half is 9 to 15 and 4 to 8, in the cell of the middle column."""
    out = write(boxes((6, 2, 12, 8)), obj_norm=True)
    assert out.shape == (9, 2, 3)
    assert out[0].tolist() == [[0, 1, 0], [0, 0, 0]]
    np.testing.assert_allclose(
        out[:, 0, 1], [1, 6 - 8, 2, 18 - 8, 10, 1 / 12, 1 / 8, 64 / (6 * 4), 1], rtol=1e-6
    )
    assert not np.delete(out.reshape(9, 6), 1, axis=1).any()


@pytest.mark.parametrize(
    ("fields", "covered"),
    [
        ({"scale_cvg": 1}, [[1, 1, 1], [1, 1, 1]]),
        ({"scale_cvg": 1, "max_cvg_len": 2}, [[0, 1, 0], [0, 0, 0]]),
        ({"gridbox_type": "GRIDBOX_MIN", "min_cvg_len": 99}, [[1, 1, 1], [1, 1, 1]]),
        ({"gridbox_type": "GRIDBOX_MIN", "min_cvg_len": 1}, [[0, 1, 0], [0, 0, 0]]),
    ],
)
def test_how_much_of_a_box_counts(fields: dict[str, object], covered: list[list[int]]) -> None:
    assert write(boxes((6, 2, 12, 8)), **fields)[0].tolist() == covered


def test_boxes_are_cropped_or_not_and_unknown_ones_dropped() -> None:
    rows = boxes((-8, -8, 16, 16))
    cropped = write(rows, scale_cvg=1)
    np.testing.assert_allclose(cropped[1:7, 0, 0], [0, 0, 8, 8, 1 / 8, 1 / 8])
    whole = write(rows, scale_cvg=1, crop_bboxes=False)
    np.testing.assert_allclose(whole[1:7, 0, 0], [-8, -8, 8, 8, 1 / 16, 1 / 16])
    rows[0, 5] = 2
    assert not write(rows).any()
    assert not write(boxes((30, 2, 4, 4), (3, 3, 0, 5))).any()


def test_a_later_box_wins_and_classes_get_their_maps() -> None:
    rows = boxes((0, 0, 24, 16), (0, 0, 8, 8))
    rows[1, 5] = 7
    mapping = DetectNetGroundTruthParameter.ClassMapping
    out = write(rows, scale_cvg=1, object_class=[mapping(src=1, dst=0), mapping(src=7, dst=2)])
    assert out.shape == (11, 2, 3)
    assert out[8].tolist() == [[0, 1, 1], [1, 1, 1]]
    assert out[10].tolist() == [[1, 0, 0], [0, 0, 0]]
    assert out[7, 0, 0] == 1  # max(1, 64 / 64)
    assert out[3, 0, 0] == 8
