"""RoIDataLayer: images and boxes for Faster R-CNN."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from protonet.device import Device
from protonet.errors import DataError, LayerError, NetworkError
from protonet.graph.net import Net
from protonet.layers.base import LayerContext
from tests.graph.nets import plan_of

BOXES = [[2, 1, 5, 4], [0, 0, 19, 9]]


def write(folder: Path, entries: object = None) -> None:
    """Two images of 10 x 20, one whose red grows to the right, and one that is blue."""
    first = np.zeros((10, 20, 3), np.uint8)
    first[:, :, 0] = np.arange(20) * 10
    second = np.zeros((20, 10, 3), np.uint8)
    second[:, :, 2] = 200
    for name, pixels in (("a.png", first), ("b.png", second)):
        Image.fromarray(pixels).save(folder / name)
    if entries is None:
        entries = [
            {"image": "a.png", "boxes": BOXES, "classes": [1, 2]},
            {"image": "b.png", "boxes": [[1, 2, 3, 4]], "classes": [1]},
            {"image": "none.png", "boxes": [], "classes": []},
        ]
    (folder / "boxes.json").write_text(json.dumps(entries))


def text(
    settings: str = "'source': 'boxes.json'",
    tops: str = 'top: "data" top: "im_info" top: "gt_boxes"',
) -> str:
    settings = settings.replace("\n", "\\n")
    return f"""
    layer {{ name: "input-data" type: "Python" {tops}
      python_param {{ module: "roi_data_layer.layer" layer: "RoIDataLayer"
        param_str: "'num_classes': 3\\n'means': [0, 0, 0]\\n{settings}" }} }}
    """


def net_of(folder: Path, settings: str = "'source': 'boxes.json'", seed: int = 0) -> Net:
    return Net(plan_of(text(settings), context=LayerContext(folder=folder, seed=seed)), Device())


def batches(net: Net, count: int) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    found = []
    for _ in range(count):
        net.forward()
        found.append(
            tuple(np.array(net.blobs[name].data) for name in ("data", "im_info", "gt_boxes"))
        )
    return found


def test_each_image_comes_once_in_an_epoch_scaled(tmp_path: Path) -> None:
    write(tmp_path)
    settings = "'source': 'boxes.json'\n'scales': [20]\n'max_size': 50\n'use_flipped': False"
    found = {
        info[0, :2].tolist()[0]: (data, info, truths)
        for data, info, truths in batches(net_of(tmp_path, settings), 2)
    }
    data, info, truths = found[20.0]
    assert info.tolist() == [[20, 40, 2]]
    assert truths.tolist() == [[4, 2, 10, 8, 1], [0, 0, 38, 18, 2]]
    assert data.shape == (1, 3, 20, 40)
    assert not data[0, :2].any()  # red is last
    assert (np.diff(data[0, 2, 0]) >= 0).all()
    data, info, truths = found[40.0]
    assert info.tolist() == [[40, 20, 2]]
    assert truths.tolist() == [[2, 4, 6, 8, 1]]
    assert set(data[0, 0].reshape(-1)) == {200}


def test_the_longer_side_has_a_limit(tmp_path: Path) -> None:
    write(tmp_path)
    settings = "'source': 'boxes.json'\n'scales': [20]\n'max_size': 30\n'use_flipped': False"
    assert {tuple(info[0]) for _, info, _ in batches(net_of(tmp_path, settings), 2)} == {
        (15, 30, 1.5),
        (30, 15, 1.5),
    }


def test_mirrored_images_have_mirrored_boxes(tmp_path: Path) -> None:
    write(tmp_path, [{"image": "a.png", "boxes": BOXES, "classes": [1, 2]}])
    plain = "'source': 'boxes.json'\n'scales': [10]"
    for data, _, truths in batches(net_of(tmp_path, plain), 4):
        if data[0, 2, 0, 0] == 0:
            assert truths.tolist() == [[2, 1, 5, 4, 1], [0, 0, 19, 9, 2]]
        else:
            assert data[0, 2, 0, 0] == 190
            assert truths.tolist() == [[14, 1, 17, 4, 1], [0, 0, 19, 9, 2]]
    firsts = sorted(data[0, 2, 0, 0] for data, *_ in batches(net_of(tmp_path, plain), 2))
    assert firsts == [0, 190]


def test_the_order_is_the_seed_s(tmp_path: Path) -> None:
    write(tmp_path)
    orders = {
        seed: [
            info[0, 0]
            for _, info, _ in batches(
                net_of(tmp_path, "'source': 'boxes.json'\n'scales': [20]", seed), 12
            )
        ]
        for seed in (1, 2)
    }
    again = [
        info[0, 0]
        for _, info, _ in batches(net_of(tmp_path, "'source': 'boxes.json'\n'scales': [20]", 1), 12)
    ]
    assert orders[1] == again
    assert orders[1] != orders[2]


def test_a_roidb_is_taken_as_py_faster_rcnn_has_it(tmp_path: Path) -> None:
    write(tmp_path)
    net = net_of(tmp_path, "'scales': [10]")
    user = net.layers[0].user
    user.set_roidb(
        [
            {
                "image": str(tmp_path / "a.png"),
                "boxes": np.array(BOXES),
                "gt_classes": np.array([0, 2]),
                "flipped": True,
            }
        ]
    )
    ((data, _, truths),) = batches(net, 1)
    assert truths.tolist() == [[0, 0, 19, 9, 2]]
    assert data[0, 2, 0, 0] == 190
    with pytest.raises(
        DataError, match="roidb: entry 0: expected image, boxes of four corners, and classes"
    ):
        user.set_roidb([{"image": "a.png"}])
    assert batches(net, 1)[0][2].tolist() == truths.tolist()


def test_without_images_it_says_what_would_work(tmp_path: Path) -> None:
    with pytest.raises(LayerError, match=r'layer "input-data" \(RoIDataLayer\): has no images'):
        net_of(tmp_path, "'scales': [10]").forward()


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ({"a": 1}, "expected a list of images with boxes"),
        ([], "no image has a box"),
        ([3], "entry 0: expected image, boxes of four corners, and classes"),
        (
            [{"image": "a.png", "boxes": [[1, 2, 3, 4]], "classes": [3]}],
            "entry 0: class 3 is not one of 0 to 2",
        ),
        (
            [{"image": "a.png", "boxes": [[1, 2, 3]], "classes": [1]}],
            "entry 0: expected image, boxes of four",
        ),
        (
            [{"image": "a.png", "boxes": [[5, 2, 3, 4]], "classes": [1]}],
            "entry 0: expected boxes x1, y1, x2, y2",
        ),
    ],
)
def test_sources_that_cannot_be_are_refused(tmp_path: Path, entries: object, message: str) -> None:
    write(tmp_path, entries)
    with pytest.raises((NetworkError, DataError), match=message):
        net_of(tmp_path)


def test_files_that_are_not_there_are_named(tmp_path: Path) -> None:
    with pytest.raises((NetworkError, DataError), match=r"boxes\.json: No such file"):
        net_of(tmp_path)
    write(tmp_path, [{"image": "gone.png", "boxes": BOXES, "classes": [1, 2]}])
    with pytest.raises((NetworkError, DataError, LayerError), match=r"gone\.png: No such file"):
        net_of(tmp_path).forward()
    (tmp_path / "boxes.json").write_text("[")
    with pytest.raises((NetworkError, DataError), match="is not JSON"):
        net_of(tmp_path)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ("'scales': [0]", "expects numbers of 1 or more as 'scales'"),
        ("'source': 3", "expects the name of a file as 'source'"),
    ],
)
def test_settings_that_cannot_be_are_refused(tmp_path: Path, settings: str, message: str) -> None:
    with pytest.raises(NetworkError, match=message):
        net_of(tmp_path, settings)


def test_regions_of_others_are_not_its_business() -> None:
    tops = " ".join(f'top: "{name}"' for name in ("data", "rois", "labels", "targets"))
    with pytest.raises(NetworkError, match=r"RoIDataLayer expects 3 or 6 top blob\(s\), got 4"):
        plan_of(text(tops=tops))


def test_fast_rcnn_gets_regions_and_what_to_learn_of_them(tmp_path: Path) -> None:
    """Boxes of class 0 are proposals."""
    boxes = [*BOXES, [2, 1, 5, 5], [12, 5, 19, 9]]
    write(tmp_path, [{"image": "a.png", "boxes": boxes, "classes": [1, 2, 0, 0]}])
    names = ("data", "rois", "labels", "bbox_targets", "inside", "outside")
    settings = "'source': 'boxes.json'\n'scales': [20]\n'max_size': 50\n'use_flipped': False"
    fast = text(settings, " ".join(f'top: "{name}"' for name in names))
    net = Net(plan_of(fast, context=LayerContext(folder=tmp_path)), Device())
    net.forward()
    rois = net.blobs["rois"].data[:, :, 0, 0]
    labels = net.blobs["labels"].data.reshape(-1)
    found = {tuple(row): label for row, label in zip(rois[:, 1:].tolist(), labels, strict=True)}
    expected = {(4, 2, 10, 8): 1, (0, 0, 38, 18): 2, (4, 2, 10, 10): 1, (24, 10, 38, 18): 0}
    assert found == expected
    assert net.blobs["bbox_targets"].shape == (4, 12, 1, 1)
    assert net.blobs["inside"].data.sum() == 3 * 4
