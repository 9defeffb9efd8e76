"""VideoData in a net: values, shapes, order, and what it refuses."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from protonet.device import Device
from protonet.errors import DataError, NetworkError
from protonet.graph.net import Net
from protonet.graph.planning import plan_net
from protonet.layers.base import LayerContext
from protonet.proto.caffe_pb2 import TEST, TRAIN
from protonet.proto.text import Source, read_net

GIVEN = 'source: "list.txt" use_image: true new_length: 2 batch_size: 2 '
LAYER = """layer {{ name: "in" type: "VideoData" top: "data" top: "label"
  {} {{ {} }} transform_param {{ {} }} }}"""


@pytest.fixture
def clips(tmp_path: Path) -> np.ndarray:
    """Frames 1 to 5 as BGR planes, (5, 3, 6, 8): smooth, so that JPEG keeps them nearly."""
    rows, columns = np.mgrid[0:6, 0:8]
    frames = np.stack([
        np.stack([20 * number + 0 * rows, 100 + 4 * rows, 60 + 4 * columns], axis=-1)
        for number in range(1, 6)
    ]).astype(np.uint8)  # fmt: skip
    (tmp_path / "a").mkdir()
    for number, frame in enumerate(frames, 1):
        path = tmp_path / "a" / f"{number:06d}.jpg"
        Image.fromarray(frame).save(path, quality=100, subsampling=0)
    (tmp_path / "list.txt").write_text("a 1 7\na 3 8\na 2 9\n")
    return frames[..., ::-1].transpose(0, 3, 1, 2).astype(np.float64)


def make(
    folder: Path, fields: str = GIVEN, transform: str = "", phase: int = TEST,
    message: str = "video_data_param",
) -> Net:  # fmt: skip
    text = LAYER.format(message, fields, transform)
    context = LayerContext(folder)
    definition = read_net(Source(str(folder / "net.prototxt"), text))
    return Net(plan_net(definition, phase=phase, context=context), Device())


def step(net: Net) -> tuple[np.ndarray, list[float]]:
    net.forward()
    return net.blobs["data"].data.copy(), net.blobs["label"].data.tolist()


def clip(frames: np.ndarray, *numbers: int) -> np.ndarray:
    """Channels x frames x rows x columns."""
    return np.stack([frames[number - 1] for number in numbers], axis=1)


@pytest.mark.parametrize("message", ["video_data_param", "image_data_param"])
def test_batches_of_clips_wrap_in_the_order_of_the_list(
    tmp_path: Path, clips: np.ndarray, message: str
) -> None:
    net = make(tmp_path, message=message)
    data, labels = step(net)
    assert data.shape == (2, 3, 2, 6, 8)
    np.testing.assert_allclose(data[0], clip(clips, 1, 2), atol=3)
    np.testing.assert_allclose(data[1], clip(clips, 3, 4), atol=3)
    assert labels == [7, 8]
    data, labels = step(net)
    np.testing.assert_allclose(data[0], clip(clips, 2, 3), atol=3)
    assert labels == [9, 7]
    net.close()


def test_all_frames_of_a_clip_are_transformed_alike(tmp_path: Path, clips: np.ndarray) -> None:
    """A crop in the middle, a mean for each channel, a scale; sampled at every other frame."""
    transform = "crop_size: 4 scale: 0.5 mean_value: 1 mean_value: 2 mean_value: 3"
    net = make(tmp_path, GIVEN + "sampling_rate: 2", transform)
    data, _ = step(net)
    expected = clip(clips, 1, 3)[:, :, 1:5, 2:6]
    expected = (expected - np.reshape([1, 2, 3], (3, 1, 1, 1))) * 0.5
    np.testing.assert_allclose(data[0], expected, atol=2)
    net.close()


def test_a_mean_of_one_frame_is_taken_off_each(tmp_path: Path, clips: np.ndarray) -> None:
    mean = np.random.default_rng(0).uniform(0, 50, (3, 6, 8)).astype(np.float32)
    np.save(tmp_path / "mean.npy", mean)
    data, _ = step(make(tmp_path, transform='mean_file: "mean.npy"'))
    np.testing.assert_allclose(data[0], clip(clips, 1, 2) - mean[:, None], atol=3)


def test_mirrors_are_of_whole_clips(tmp_path: Path, clips: np.ndarray) -> None:
    net = make(tmp_path, GIVEN, "mirror: true", TRAIN)
    seen = set()
    for _ in range(9):
        data, labels = step(net)
        for each, label in zip(data, labels, strict=True):
            first = {7: 1, 8: 3, 9: 2}[int(label)]
            plain = clip(clips, first, first + 1)
            straight = np.abs(each - plain).max() < 4
            assert straight or np.abs(each - plain[..., ::-1]).max() < 4
            seen.add(bool(straight))
    assert seen == {True, False}
    net.close()


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ("use_image: true", "video_data_param needs a source, a text file of clips"),
        ('source: "list.txt"', "videos are not decoded here"),
        (GIVEN + "use_temporal_jitter: true", "use_temporal_jitter is not supported by VideoData"),
        (GIVEN + "new_height: 4", "new_height and new_width go together, got 4 and 0"),
        (GIVEN + "sampling_rate: 0", "video_data_param needs a sampling_rate of 1 or more"),
        (GIVEN + "} image_data_param {", "video_data_param and image_data_param are both given"),
    ],
)
@pytest.mark.usefixtures("clips")
def test_what_is_refused(tmp_path: Path, fields: str, message: str) -> None:
    with pytest.raises(NetworkError, match=message):
        make(tmp_path, fields)


@pytest.mark.usefixtures("clips")
def test_settings_that_do_not_fit_the_frames(tmp_path: Path) -> None:
    with pytest.raises(NetworkError, match="channels x 2 frames, rows, columns"):
        make(tmp_path, GIVEN, "crop_size: 9")
    with pytest.raises(
        NetworkError, match="resize_param is not supported by VideoData layers here"
    ):
        make(tmp_path, GIVEN, "resize_param { height: 4 width: 4 }")


@pytest.mark.usefixtures("clips")
def test_a_frame_that_is_missing_is_named(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("a 1 7\na 5 8\n")
    with pytest.raises(DataError, match=r"list\.txt:2: a/000006\.jpg: cannot be read"):
        make(tmp_path)
