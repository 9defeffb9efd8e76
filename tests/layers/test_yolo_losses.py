"""RegionLoss and Yolov3, against loops after the fork's description."""

from __future__ import annotations

import math

import numpy as np
import pytest

from protonet.errors import LayerError
from protonet.proto.caffe_pb2 import TEST, TRAIN
from protonet.testing import LayerHarness, check_gradients

CLASSES, HEIGHT, WIDTH = 3, 4, 5
REGION_ANCHORS = [(1.125, 1.25), (2.5, 1.875)]
V3_ANCHORS = [(8, 9), (20, 24), (40, 30)]
MASK = [2, 1]
LABELS = np.zeros((2, 4, 5))
LABELS[0, :3] = [[2, 0.5, 0.5, 0.3, 0.4], [0, 0.1, 0.9, 0.2, 0.3], [1, 0.52, 0.55, 0.25, 0.3]]
LABELS[1, 0] = [1, 0.85, 0.2, 0.6, 0.7]
LABELS[1, 2] = [9, 9, 9, 9, 9]  # after the end


def predictions(seed: int = 7, size: float = 0.7) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, size, (2, 2 * (5 + CLASSES), HEIGHT, WIDTH))


def region(fields: str = "", x: np.ndarray | None = None, **options: object) -> LayerHarness:
    biases = ", ".join(str(value) for pair in REGION_ANCHORS for value in pair)
    settings = f"num_class: 3 num: 2 biases: [{biases}] {fields}"
    text = f'type: "RegionLoss" region_loss_param {{ {settings} }}'
    return LayerHarness(text, [predictions() if x is None else x, LABELS], **options)


def yolov3(fields: str = "", x: np.ndarray | None = None) -> LayerHarness:
    biases = ", ".join(str(value) for pair in V3_ANCHORS for value in pair)
    text = (
        f'type: "Yolov3" yolov3_param {{ num_class: 3 num: 2 biases: [{biases}] mask: {MASK} '
        f"anchors_scale: 16 {fields} }}"
    )
    return LayerHarness(text, [predictions() if x is None else x, LABELS], dtype=np.float64)


def s(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def overlap(a: list[float], b: list[float]) -> float:
    """Of two boxes of centre and size."""
    sides = [
        min(a[k] + a[k + 2] / 2, b[k] + b[k + 2] / 2)
        - max(a[k] - a[k + 2] / 2, b[k] - b[k + 2] / 2)
        for k in range(2)
    ]
    both = max(sides[0], 0) * max(sides[1], 0)
    return both / (a[2] * a[3] + b[2] * b[3] - both)


def box_of(x: np.ndarray, i: int, j: int, anchor: tuple[float, float], unit: float) -> list[float]:
    return [
        (j + s(x[0])) / WIDTH,
        (i + s(x[1])) / HEIGHT,
        math.exp(x[2]) * anchor[0] / (WIDTH * unit),
        math.exp(x[3]) * anchor[1] / (HEIGHT * unit),
    ]


def deltas_of_region(
    x: np.ndarray, burn_in: bool, rescore: bool, bias_match: bool, thresh: float
) -> np.ndarray:
    """The gradient of N L, as the fork sets it number by number, with scales 5, 0.5, 2 and 3."""
    numbers = x.reshape(2, 2, 8, HEIGHT, WIDTH)
    delta = np.zeros_like(numbers)

    def draw(at: tuple[int, ...], wanted: list[float], scale: float) -> None:
        n, b, i, j = at
        for k in range(4):
            value = numbers[n, b, k, i, j]
            slope = s(value) * (1 - s(value)) if k < 2 else 1
            delta[n, b, k, i, j] = scale * ((s(value) if k < 2 else value) - wanted[k]) * slope

    for n in range(2):
        truths = [row for row in LABELS[n].tolist() if row[3]][: 3 - 2 * n]
        for i, j, b in np.ndindex(HEIGHT, WIDTH, 2):
            box = box_of(numbers[n, b, :, i, j], i, j, REGION_ANCHORS[b], 1)
            o = s(numbers[n, b, 4, i, j])
            if max(overlap(box, truth[1:]) for truth in truths) <= thresh:
                delta[n, b, 4, i, j] = 0.5 * o * o * (1 - o)
            if burn_in:
                draw((n, b, i, j), [0.5, 0.5, 0, 0], 0.01)
        for truth in truths:
            i, j = int(truth[2] * HEIGHT), int(truth[1] * WIDTH)
            fits = []
            for b in range(2):
                size = [REGION_ANCHORS[b][0] / WIDTH, REGION_ANCHORS[b][1] / HEIGHT]
                if not bias_match:
                    size = box_of(numbers[n, b, :, i, j], i, j, REGION_ANCHORS[b], 1)[2:]
                fits.append(overlap([0, 0, *size], [0, 0, *truth[3:]]))
            b = int(np.argmax(fits))
            anchor = REGION_ANCHORS[b]
            wanted = [
                truth[1] * WIDTH - j,
                truth[2] * HEIGHT - i,
                math.log(truth[3] * WIDTH / anchor[0]),
                math.log(truth[4] * HEIGHT / anchor[1]),
            ]
            draw((n, b, i, j), wanted, 3 * (1 if rescore else 2 - truth[3] * truth[4]))
            box = box_of(numbers[n, b, :, i, j], i, j, anchor, 1)
            o = s(numbers[n, b, 4, i, j])
            target = overlap(box, truth[1:]) if rescore else 1
            delta[n, b, 4, i, j] = 5 * (o - target) * o * (1 - o)
            powers = np.exp(numbers[n, b, 5:, i, j])
            for c in range(CLASSES):
                delta[n, b, 5 + c, i, j] = 2 * (powers[c] / powers.sum() - (c == truth[0]))
    return delta.reshape(x.shape)


SCALES = "object_scale: 5 noobject_scale: 0.5 class_scale: 2 coord_scale: 3 thresh: 0.25"


@pytest.mark.parametrize("rescore", [0, 1])
@pytest.mark.parametrize("bias_match", [0, 1])
@pytest.mark.parametrize("phase", [TRAIN, TEST])
def test_the_gradient_is_the_fork_s(rescore: int, bias_match: int, phase: int) -> None:
    fields = f"{SCALES} rescore: {rescore} bias_match: {bias_match}"
    harness = region(fields, phase=phase, dtype=np.float64)
    harness.forward()
    dx = harness.backward([np.array(2.0)])[0]
    x = predictions()
    expected = deltas_of_region(x, phase == TRAIN, bool(rescore), bool(bias_match), 0.25)
    np.testing.assert_allclose(dx, expected, rtol=1e-9, atol=1e-12)  # 2 / N is 1


def test_boxes_are_drawn_to_their_anchors_for_12800_images() -> None:
    harness = region(SCALES, dtype=np.float64)
    x = predictions()
    for iteration, burn_in in ((6399, True), (6400, False)):
        harness.clock.iteration = iteration
        harness.forward()
        dx = harness.backward([np.array(2.0)])[0]
        np.testing.assert_allclose(dx, deltas_of_region(x, burn_in, True, True, 0.25), atol=1e-12)


def test_the_loss_of_a_region_is_its_parts() -> None:
    """Numbers of 0: every box is its anchor in the middle of its cell."""
    x = np.zeros((2, 16, HEIGHT, WIDTH))
    (loss,) = region(f"{SCALES} rescore: 0", x).forward()
    expected, free = 0.0, 0
    for n in range(2):
        truths = [row for row in LABELS[n].tolist() if row[3]][: 3 - 2 * n]
        owners = {}
        for truth in truths:
            i, j = int(truth[2] * HEIGHT), int(truth[1] * WIDTH)
            fits = [
                overlap([0, 0, a / WIDTH, b / HEIGHT], [0, 0, *truth[3:]])
                for a, b in REGION_ANCHORS
            ]
            owners[i, j, int(np.argmax(fits))] = truth
        for i, j, b in np.ndindex(HEIGHT, WIDTH, 2):
            box = box_of(np.zeros(4), i, j, REGION_ANCHORS[b], 1)
            if (i, j, b) in owners:
                truth = owners[i, j, b]
                miss = [
                    0.5 - truth[1] * WIDTH + j,
                    0.5 - truth[2] * HEIGHT + i,
                    math.log(truth[3] / box[2]),
                    math.log(truth[4] / box[3]),
                ]
                pull = 3 * (2 - truth[3] * truth[4])
                expected += pull * sum(each**2 for each in miss) / 2 + 5 / 8 + 2 * math.log(3)
            elif max(overlap(box, truth[1:]) for truth in truths) <= 0.25:
                expected += 0.5 / 8
                free += 1
    assert 20 < free < 78
    assert loss == pytest.approx(expected / 2, rel=1e-5)


def test_rescored_boxes_should_say_how_well_they_fit() -> None:
    """Only objects weigh: the value is that of the overlaps, of the last truth for each box."""
    fields = "object_scale: 5 noobject_scale: 0 class_scale: 0 coord_scale: 0"
    (loss,) = region(fields, phase=TEST, dtype=np.float64).forward()
    numbers = predictions().reshape(2, 2, 8, HEIGHT, WIDTH)
    parts: dict[tuple[int, ...], float] = {}
    for n in range(2):
        for truth in [row for row in LABELS[n].tolist() if row[3]][: 3 - 2 * n]:
            i, j = int(truth[2] * HEIGHT), int(truth[1] * WIDTH)
            fits = [
                overlap([0, 0, a / WIDTH, b / HEIGHT], [0, 0, *truth[3:]])
                for a, b in REGION_ANCHORS
            ]
            b = int(np.argmax(fits))
            here = numbers[n, b, :, i, j]
            fit = overlap(box_of(here, i, j, REGION_ANCHORS[b], 1), truth[1:])
            parts[n, b, i, j] = 5 * (s(here[4]) - fit) ** 2 / 2
    assert len(parts) == 3
    assert loss == pytest.approx(sum(parts.values()) / 2, rel=1e-9)


def test_the_gradient_of_region_descends_its_loss() -> None:
    check_gradients(region("rescore: 0").layer.spec, [predictions(), LABELS])


@pytest.mark.parametrize("logic", ["true", "false"])
def test_the_gradient_of_yolov3_is_the_fork_s(logic: str) -> None:
    fields = (
        f"object_scale: 5 class_scale: 2 coord_scale: 3 thresh: 0.25 use_logic_gradient: {logic}"
    )
    harness = yolov3(fields)
    harness.forward()
    dx = harness.backward([np.array(2.0)])[0]
    x = predictions()
    numbers = x.reshape(2, 2, 8, HEIGHT, WIDTH)
    delta = np.zeros_like(numbers)
    met = 0
    for n in range(2):
        truths = [row for row in LABELS[n].tolist() if row[3]][: 3 - 2 * n]
        for i, j, b in np.ndindex(HEIGHT, WIDTH, 2):
            box = box_of(numbers[n, b, :, i, j], i, j, V3_ANCHORS[MASK[b]], 16)
            if max(overlap(box, truth[1:]) for truth in truths) <= 0.25:
                delta[n, b, 4, i, j] = s(numbers[n, b, 4, i, j])
        seen: dict[tuple[int, int, int], set[int]] = {}
        for truth in truths:
            i, j = int(truth[2] * HEIGHT), int(truth[1] * WIDTH)
            fits = [
                overlap([0, 0, a / WIDTH / 16, c / HEIGHT / 16], [0, 0, *truth[3:]])
                for a, c in V3_ANCHORS
            ]
            if int(np.argmax(fits)) not in MASK:
                continue
            met += 1
            b = MASK.index(int(np.argmax(fits)))
            anchor = V3_ANCHORS[MASK[b]]
            scale = 3 * (2 - truth[3] * truth[4])
            here = numbers[n, b, :, i, j]
            delta[n, b, 0, i, j] = scale * (s(here[0]) - (truth[1] * WIDTH - j))
            delta[n, b, 1, i, j] = scale * (s(here[1]) - (truth[2] * HEIGHT - i))
            delta[n, b, 2, i, j] = scale * (here[2] - math.log(truth[3] * WIDTH * 16 / anchor[0]))
            delta[n, b, 3, i, j] = scale * (here[3] - math.log(truth[4] * HEIGHT * 16 / anchor[1]))
            delta[n, b, 4, i, j] = (s(here[4]) - 1) * (5 if logic == "true" else 1)
            own = seen.setdefault((i, j, b), set())
            own.add(int(truth[0]))
            for c in range(CLASSES):
                delta[n, b, 5 + c, i, j] = 2 * (s(here[5 + c]) - (c in own))
    assert met >= 2
    if logic == "true":
        for n, b, c, i, j in np.ndindex(numbers.shape):
            if c not in (2, 3):
                value = s(numbers[n, b, c, i, j])
                delta[n, b, c, i, j] *= value * (1 - value)
    np.testing.assert_allclose(dx, delta.reshape(x.shape), rtol=1e-9, atol=1e-12)
    check_gradients(harness.layer.spec, [x, LABELS])


def test_truths_of_other_maps_are_not_learned_here() -> None:
    harness = yolov3("thresh: 1")
    harness.inputs[1] = np.zeros((2, 4, 5))
    harness.inputs[1][0, 0] = [1, 0.5, 0.5, 0.1, 0.14]  # as the first anchor, which mask lacks
    harness.forward()
    dx = harness.backward([np.array(1.0)])[0]
    assert dx is not None
    found = dx.reshape(2, 2, 8, HEIGHT, WIDTH)
    assert (found[:, :, 4] > 0).all()
    assert not np.delete(found, 4, axis=2).any()


def test_the_loss_of_yolov3_without_objects() -> None:
    harness = yolov3(x=np.zeros((2, 16, HEIGHT, WIDTH)))
    harness.inputs[1] = np.zeros((2, 4, 5))
    (loss,) = harness.forward()
    assert loss == pytest.approx(2 * HEIGHT * WIDTH * math.log(2))


def test_numbers_without_end_are_no_warning() -> None:
    for harness in (region(), yolov3()):
        harness.inputs[0] = harness.inputs[0] * 1e4
        harness.forward()
        harness.backward([np.array(1.0)])


@pytest.mark.parametrize(
    ("text", "message", "path"),
    [
        (
            'type: "RegionLoss"',
            "expected biases in pairs of width and height for 5 boxes, got 0 numbers",
            ("region_loss_param",),
        ),
        (
            'type: "RegionLoss" region_loss_param { num: 1 biases: [1, 0] }',
            "expected biases above 0, got 0",
            ("region_loss_param", "biases"),
        ),
        (
            'type: "RegionLoss" region_loss_param { num: 0 }',
            "expected num of 1 or more, got 0",
            ("region_loss_param", "num"),
        ),
        (
            'type: "RegionLoss" region_loss_param { coords: 5 }',
            "expected coords 4, got 5",
            ("region_loss_param", "coords"),
        ),
        (
            'type: "RegionLoss" region_loss_param { class_map: "m" }',
            "class_map is not supported",
            ("region_loss_param", "class_map"),
        ),
        (
            'type: "RegionLoss" region_loss_param { num: 1 biases: [1, 1] }',
            "expected N x 25 x H x W in 'x0', 5 and 20 classes for each of 1 boxes, got 2x8x3x3",
            ("bottom", 0),
        ),
        (
            'type: "RegionLoss" region_loss_param { num: 1 num_class: 3 biases: [1, 1] }',
            "expected rows of class, x, y, width and height for 2 image.* in 'x1', got 2x4",
            ("bottom", 1),
        ),
        (
            'type: "Yolov3" yolov3_param { num: 2 mask: [1, 1] }',
            r"expected a mask of 2 different anchors, as num says, got \[1, 1\]",
            ("yolov3_param",),
        ),
        (
            'type: "Yolov3" yolov3_param { num: 1 mask: 1 biases: [1, 1] }',
            "for 2 boxes, got 2 numbers",
            ("yolov3_param", "biases"),
        ),
        (
            'type: "Yolov3" yolov3_param { num: 1 mask: 0 anchors_scale: 0 }',
            "expected anchors_scale of 1 or more, got 0",
            ("yolov3_param", "anchors_scale"),
        ),
    ],
)
def test_wrong_use_is_refused(text: str, message: str, path: tuple[object, ...]) -> None:
    with pytest.raises(LayerError, match=message) as caught:
        LayerHarness(text, [np.zeros((2, 8, 3, 3)), np.zeros((2, 4))])
    assert caught.value.path == path
