"""WindowData in a net: values, resuming, and what it refuses."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from protonet.data.resize import resize
from protonet.device import Device
from protonet.errors import DataError, NetworkError
from protonet.graph.net import Net
from protonet.graph.planning import plan_net
from protonet.layers.base import LayerContext
from protonet.layers.window_data import WindowData
from protonet.proto.caffe_pb2 import TRAIN
from protonet.proto.text import Source, read_net

LAYER = """layer {{ name: "in" type: "WindowData" top: "data" top: "label"
  window_data_param {{ {} }} transform_param {{ {} }} }}"""
GIVEN = 'source: "windows.txt" batch_size: 4 '
WINDOWS = "# 0\na.png\n3\n12\n20\n2\n6 0.8 2 3 11 6\n6 0.2 0 0 19 11\n"


@pytest.fixture
def picture(tmp_path: Path) -> np.ndarray:
    """One image, 12x20, with an object and a background window; its BGR planes."""
    pixels = np.random.default_rng(0).integers(0, 256, (12, 20, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    (tmp_path / "windows.txt").write_text(WINDOWS)
    return pixels[..., ::-1].transpose(2, 0, 1)


def make(
    folder: Path,
    window_data: str = GIVEN,
    transform: str = "crop_size: 6",
    device: str = "cpu",
    text: str = LAYER,
    seed: int = 0,
) -> Net:
    source = Source(str(folder / "net.prototxt"), text.format(window_data, transform))
    context = LayerContext(folder, seed=seed)
    return Net(plan_net(read_net(source), phase=TRAIN, context=context), Device(device))


def step(net: Net) -> tuple[np.ndarray, np.ndarray]:
    net.forward()
    get = net.device.get
    return get(net.blobs["data"].data).copy(), get(net.blobs["label"].data).copy()


def test_a_quarter_of_a_batch_shows_objects(tmp_path: Path, picture: np.ndarray) -> None:
    net = make(tmp_path)
    data, labels = step(net)
    np.testing.assert_array_equal(labels, [0, 0, 0, 6])
    for item in data[:3]:
        np.testing.assert_array_equal(item, resize(picture, 6, 6))
    np.testing.assert_array_equal(data[3], resize(picture[:, 3:7, 2:12], 6, 6))
    net.close()


@pytest.mark.parametrize(("fraction", "objects"), [(0, 0), (0.49, 1), (0.5, 2), (1, 4)])
def test_how_many_objects(
    tmp_path: Path, picture: np.ndarray, fraction: float, objects: int
) -> None:
    net = make(tmp_path, GIVEN + f"fg_fraction: {fraction}")
    assert step(net)[1].tolist() == [0] * (4 - objects) + [6] * objects
    net.close()


def test_only_the_kind_that_is_drawn_must_be_there(tmp_path: Path, picture: np.ndarray) -> None:
    net = make(tmp_path, GIVEN + "fg_fraction: 0 fg_threshold: 2")
    assert step(net)[1].tolist() == [0, 0, 0, 0]
    net.close()


def test_one_top_and_a_root_folder(tmp_path: Path, picture: np.ndarray) -> None:
    (tmp_path / "all").mkdir()
    (tmp_path / "a.png").rename(tmp_path / "all" / "a.png")
    net = make(tmp_path, GIVEN + 'root_folder: "all/"', text=LAYER.replace(' top: "label"', ""))
    net.forward()
    np.testing.assert_array_equal(net.blobs["data"].data[0], resize(picture, 6, 6))
    net.close()


@pytest.mark.parametrize(
    ("window_data", "transform"), [("scale: 0.5", ""), ("", "scale: 0.5")], ids=["own", "shared"]
)
@pytest.mark.parametrize(
    ("given", "mean"),
    [
        ("mean_value: 3", [3, 3, 3]),
        ("mean_value: 3 mean_value: 4 mean_value: 5", [3, 4, 5]),
        ('mean_file: "mean.npy"', None),
    ],
)
def test_mean_and_scale(
    tmp_path: Path,
    picture: np.ndarray,
    window_data: str,
    transform: str,
    given: str,
    mean: list[float] | None,
) -> None:
    image = np.random.default_rng(1).uniform(0, 255, (3, 10, 9)).astype(np.float32)
    np.save(tmp_path / "mean.npy", image)
    taken = image[:, 1:7, 1:7] if mean is None else np.array(mean)[:, None, None]
    net = make(tmp_path, GIVEN + window_data, f"crop_size: 6 {given} {transform}")
    np.testing.assert_array_equal(step(net)[0][0], (resize(picture, 6, 6) - taken) / 2)
    net.close()


def test_context_and_square(tmp_path: Path, picture: np.ndarray) -> None:
    """Around (7, 5) half of 5 becomes 5 * 10 / 6 = 8.3: rows -3 to 13, columns -1 to 15."""
    net = make(
        tmp_path, GIVEN + 'context_pad: 2 crop_mode: "square"', "crop_size: 10 mean_value: 1"
    )
    found = step(net)[0][3]
    inside = resize(picture[:, :12, :16], 7, 9) - np.float32(1)
    np.testing.assert_array_equal(found[:, 2:9, 1:], inside)
    for outside in (found[:, :2], found[:, 9:], found[:, :, :1]):
        assert not outside.any()
    net.close()


def test_a_restored_net_goes_on_with_the_window_that_was_due(
    tmp_path: Path, picture: np.ndarray
) -> None:
    text = "crop_size: 6 mirror: true"
    net, again = (make(tmp_path, transform=text, seed=5) for _ in range(2))
    for _ in range(3):
        step(net)
    again.restore(net.state())
    seen = set()
    for _ in range(6):
        for found, expected in zip(step(again), step(net), strict=True):
            np.testing.assert_array_equal(found, expected)
        seen.add(net.blobs["data"].data.tobytes())
    assert len(seen) > 1
    net.close()
    again.close()


def test_a_net_of_the_old_dialect(tmp_path: Path, picture: np.ndarray) -> None:
    """As R-CNN's own networks were written: everything in window_data_param."""
    text = """layers {{ name: "in" type: WINDOW_DATA top: "data" top: "label"
      window_data_param {{ {} crop_size: 6 mirror: false scale: 0.5 }} }}"""
    net = make(tmp_path, text=text)
    layer = net.layers[0]
    assert isinstance(layer, WindowData)
    np.testing.assert_array_equal(step(net)[0][0], resize(picture, 6, 6) / 2)
    net.close()


@pytest.mark.parametrize(
    ("window_data", "transform", "message"),
    [
        ("batch_size: 4", "crop_size: 6", "needs a source, a window file"),
        ('source: "windows.txt"', "crop_size: 6", "needs a batch_size of 1 or more"),
        (GIVEN, "", "needs a crop_size, the size of the top's windows"),
        (GIVEN + "crop_size: 6", "crop_size: 6", "crop_size belongs in transform_param"),
        (GIVEN + "mirror: true", "crop_size: 6", "mirror belongs in transform_param"),
        (
            GIVEN + 'crop_mode: "wrap"',
            "crop_size: 6",
            "unknown crop_mode 'wrap'; there are 'warp' and 'square'",
        ),
        (
            GIVEN + "context_pad: 3",
            "crop_size: 6",
            "context_pad 3 on both sides leaves nothing of crop_size 6",
        ),
        (GIVEN + "fg_fraction: 1.5", "crop_size: 6", "expected a fg_fraction from 0 to 1, got 1.5"),
        (GIVEN + "scale: 2", "crop_size: 6 scale: 2", "scale is given in window_data_param and in"),
        (
            GIVEN,
            'crop_size: 6 mean_value: 1 mean_file: "m"',
            "mean_file and mean_value are both given",
        ),
        (
            GIVEN,
            "crop_size: 6 mean_value: 1 mean_value: 2",
            "expected 1 mean_value or one for each of 3 channels, got 2",
        ),
    ],
)
def test_settings_that_cannot_be(
    tmp_path: Path, picture: np.ndarray, window_data: str, transform: str, message: str
) -> None:
    with pytest.raises(NetworkError, match=message):
        make(tmp_path, window_data, transform)


@pytest.mark.parametrize(
    ("window_data", "transform", "message"),
    [
        ('source: "absent" batch_size: 4', "", "absent: cannot be read: No such file"),
        (
            GIVEN + "fg_threshold: 0.9",
            "",
            r"windows.txt: no window reaches fg_threshold, but a batch takes 1 object window\(s\)",
        ),
        (
            GIVEN + "bg_threshold: 0.1",
            "",
            r"windows.txt: no window is below bg_threshold, but a batch takes 3 background",
        ),
        (GIVEN, 'mean_file: "absent.npy"', "absent.npy: cannot be read"),
        (
            GIVEN,
            'mean_file: "small.npy"',
            "small.npy: is 3x9x5, but windows of 3x6x6 are taken out of it",
        ),
    ],
)
def test_data_errors_come_through(
    tmp_path: Path, picture: np.ndarray, window_data: str, transform: str, message: str
) -> None:
    np.save(tmp_path / "small.npy", np.zeros((3, 9, 5), np.float32))
    with pytest.raises(DataError, match=message):
        make(tmp_path, window_data, "crop_size: 6 " + transform)


def test_the_example_of_the_page_runs_once_its_files_are_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = (Path(__file__).parents[2] / "layers" / "WindowData.md").read_text()
    ((reason, example),) = re.findall(r"```prototxt no-run: ([^\n]*)\n(.*?)```", page, re.DOTALL)
    assert "windows.txt" in reason
    (windows,) = re.findall(r"```text\n(.*?)```", page, re.DOTALL)
    (name,) = re.findall(r"^# 0\n(.*)$", windows, re.MULTILINE)
    (tmp_path / "images").mkdir()
    Image.new("RGB", (500, 375), "red").save(tmp_path / "images" / name)
    (tmp_path / "windows.txt").write_text(windows)
    monkeypatch.chdir(tmp_path)
    net = Net(plan_net(read_net(Source("WindowData.md", example)), phase=TRAIN), Device())
    net.forward()
    net.backward()
    assert net.loss() > 0
    assert net.store.diff.any()
    net.close()


@pytest.mark.gpu
def test_a_gpu_gets_the_same(tmp_path: Path, picture: np.ndarray) -> None:
    on_cpu = make(tmp_path, transform="crop_size: 6 mirror: true")
    on_gpu = make(tmp_path, transform="crop_size: 6 mirror: true", device="cuda:0")
    for _ in range(4):
        for found, expected in zip(step(on_gpu), step(on_cpu), strict=True):
            np.testing.assert_array_equal(found, expected)
    on_cpu.close()
    on_gpu.close()
