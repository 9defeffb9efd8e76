"""ImageData: the files of a list as batches."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from protonet.data.datum import encode_image
from protonet.errors import DataError, LayerError
from protonet.layers.base import Surroundings
from protonet.layers.image_data import ImageData
from protonet.proto.caffe_pb2 import TRAIN
from protonet.testing import LayerHarness, parse_layer

IMAGES = np.random.default_rng(0).integers(0, 256, (5, 3, 6, 8), np.uint8)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    lines = []
    for index, image in enumerate(IMAGES):
        (tmp_path / f"{index}.png").write_bytes(encode_image(image))
        lines.append(f"{index}.png {10 + index}")
    (tmp_path / "list.txt").write_text("\n".join(lines))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(fields: str, transform: str = "", tops: str = 'top: "x" top: "y"') -> LayerHarness:
    return LayerHarness(
        f'type: "ImageData" {tops} image_data_param {{ source: "list.txt" {fields} }} '
        f"transform_param {{ {transform} }}",
        [],
    )


def test_batches_in_the_order_of_the_list(folder: Path) -> None:
    harness = run("batch_size: 2", "scale: 0.5 mean_value: 10")
    for rows in ([0, 1], [2, 3], [4, 0]):
        x, y = harness.forward()
        np.testing.assert_allclose(x, (IMAGES[rows].astype(np.float32) - 10) / 2)
        assert y.tolist() == [10 + row for row in rows]
    harness.layer.close()


def test_gray_and_in_another_size(folder: Path) -> None:
    harness = run("is_color: false new_height: 3 new_width: 4", tops='top: "x"')
    (x,) = harness.forward()
    assert x.shape == (1, 1, 3, 4)
    harness.layer.close()


def test_crops_and_shuffled_epochs_resume(folder: Path) -> None:
    fields, transform = "batch_size: 3 shuffle: true", "crop_size: 4 mirror: true"
    harness = run(fields, transform)
    for _ in range(3):
        harness.forward()
    state = harness.layer.state()
    expected = harness.forward()
    harness.layer.close()
    again = run(fields, transform)
    again.layer.restore(state)
    for found, before in zip(again.forward(), expected, strict=True):
        np.testing.assert_array_equal(found, before)
    again.layer.close()


def test_an_epoch_has_every_image_once(folder: Path) -> None:
    harness = run("batch_size: 5 shuffle: true")
    orders = [harness.forward()[1].tolist() for _ in range(4)]
    assert all(sorted(order) == [10, 11, 12, 13, 14] for order in orders)
    assert len({tuple(order) for order in orders}) > 1
    harness.layer.close()


@pytest.mark.parametrize(
    ("fields", "message", "path"),
    [
        ("", "image_data_param needs a source, a text that lists images", ("image_data_param",)),
        (
            'source: "list.txt" batch_size: 0',
            "image_data_param needs a batch_size of 1 or more",
            ("image_data_param", "batch_size"),
        ),
        (
            'source: "list.txt" new_height: 3',
            "expected new_height and new_width both or neither, got 3 and 0",
            ("image_data_param", "new_height"),
        ),
        (
            'source: "list.txt" short_side: 3',
            "short_side, of NVIDIA's fork, is not supported",
            ("image_data_param", "short_side"),
        ),
    ],
)
def test_mistakes(folder: Path, fields: str, message: str, path: tuple[str, ...]) -> None:
    spec = parse_layer(f'type: "ImageData" image_data_param {{ {fields} }}', 0)
    with pytest.raises(LayerError) as caught:
        ImageData(spec, TRAIN, Surroundings(folder)).setup()
    assert (str(caught.value), caught.value.path) == (message, path)


def test_images_of_two_sizes(folder: Path) -> None:
    (folder / "3.png").write_bytes(encode_image(IMAGES[3][:, 1:]))
    with pytest.raises(DataError, match=r"list\.txt:4: 3\.png.*3x5x8.*3x6x8.*new_height"):
        run("batch_size: 5").forward()
