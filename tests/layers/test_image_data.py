"""ImageData in a net: values, order, resuming, and what it refuses."""

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
from protonet.proto.caffe_pb2 import TEST, TRAIN
from protonet.proto.text import Source, read_net

COUNT = 7
LAYER = """layer {{ name: "in" type: "ImageData" top: "data" top: "label"
  image_data_param {{ {} }} transform_param {{ {} }} }}"""
GIVEN = 'source: "list.txt" batch_size: 3 '


@pytest.fixture
def pictures(tmp_path: Path) -> np.ndarray:
    """Seven colour images 4x5 in files that list.txt names, as BGR planes; labels 10 to 16."""
    pixels = np.random.default_rng(0).integers(0, 256, (COUNT, 4, 5, 3), np.uint8)
    for index, image in enumerate(pixels):
        Image.fromarray(image).save(tmp_path / f"{index}.png")
    lines = [f"{index}.png {10 + index}" for index in range(COUNT)]
    (tmp_path / "list.txt").write_text("\n".join(lines))
    return pixels[..., ::-1].transpose(0, 3, 1, 2)


def make(
    folder: Path,
    image_data: str = GIVEN,
    transform: str = "",
    phase: int = TRAIN,
    device: str = "cpu",
    **context: object,
) -> Net:
    source = Source(str(folder / "net.prototxt"), LAYER.format(image_data, transform))
    layer_context = LayerContext(folder, **context)
    return Net(plan_net(read_net(source), phase=phase, context=layer_context), Device(device))


def step(net: Net) -> tuple[np.ndarray, np.ndarray]:
    net.forward()
    get = net.device.get
    return get(net.blobs["data"].data).copy(), get(net.blobs["label"].data).copy()


@pytest.mark.parametrize("cache", ["", "cache: true", "cache: false", "threads: 3"])
def test_batches_wrap_in_the_order_of_the_list(
    tmp_path: Path, pictures: np.ndarray, cache: str
) -> None:
    net = make(tmp_path, GIVEN + cache)
    for rows in ([0, 1, 2], [3, 4, 5], [6, 0, 1]):
        data, labels = step(net)
        np.testing.assert_array_equal(data, pictures[rows])
        np.testing.assert_array_equal(labels, np.array(rows) + 10)
    net.close()


def test_one_top_and_the_default_batch(tmp_path: Path, pictures: np.ndarray) -> None:
    text = LAYER.format('source: "list.txt"', "").replace(' top: "label"', "")
    source = Source(str(tmp_path / "net.prototxt"), text)
    net = Net(plan_net(read_net(source), phase=TEST), Device())
    net.forward()
    np.testing.assert_array_equal(net.blobs["data"].data, pictures[:1])
    net.close()


def test_the_transformation(tmp_path: Path, pictures: np.ndarray) -> None:
    transform = "crop_size: 2 scale: 0.5 mean_value: 9 mean_value: 8 mean_value: 7"
    net = make(tmp_path, GIVEN, transform, phase=TEST)
    mean = np.array([9, 8, 7], np.float32)[:, None, None]
    np.testing.assert_array_equal(step(net)[0], (pictures[:3, :, 1:3, 1:3] - mean) / 2)
    net.close()


def test_the_size_and_the_mean_image(tmp_path: Path, pictures: np.ndarray) -> None:
    mean = np.random.default_rng(1).uniform(0, 255, (3, 6, 3)).astype(np.float32)
    np.save(tmp_path / "mean.npy", mean)
    Image.new("RGB", (40, 30)).save(tmp_path / "1.png")
    net = make(tmp_path, GIVEN + "new_height: 6 new_width: 3", 'mean_file: "mean.npy"')
    data, _ = step(net)
    np.testing.assert_array_equal(data[0], resize(pictures[0], 6, 3) - mean)
    np.testing.assert_array_equal(data[1], -mean)
    net.close()


def test_gray_and_the_root_folder(tmp_path: Path, pictures: np.ndarray) -> None:
    (tmp_path / "all").mkdir()
    for index in range(COUNT):
        (tmp_path / f"{index}.png").rename(tmp_path / "all" / f"{index}.png")
    net = make(tmp_path, GIVEN + 'is_color: false root_folder: "all/"')
    weights = np.array([0.114, 0.587, 0.299])[:, None, None]
    found = step(net)[0]
    assert found.shape == (3, 1, 4, 5)
    assert np.abs(found[:, 0] - (pictures[:3] * weights).sum(1)).max() <= 1
    net.close()


@pytest.mark.parametrize(
    ("param", "settings", "shuffled"),
    [
        ("", {}, False),
        ("", {"shuffle": True}, True),
        ("", {"shuffle": True, "phase": TEST}, False),
        ("shuffle: true", {"phase": TEST}, True),
        ("shuffle: false", {"shuffle": True}, False),
    ],
)
def test_who_shuffles(
    tmp_path: Path, pictures: np.ndarray, param: str, settings: dict[str, object], shuffled: bool
) -> None:
    net = make(tmp_path, GIVEN + param, seed=6, **settings)
    order = np.concatenate([step(net)[1] for _ in range(COUNT)]).reshape(3, COUNT) - 10
    assert (np.sort(order) == np.arange(COUNT)).all()
    assert (order != np.arange(COUNT)).any() == shuffled
    net.close()


def test_skips_differ_by_seed(tmp_path: Path, pictures: np.ndarray) -> None:
    starts = set()
    for seed in range(30):
        net = make(tmp_path, GIVEN + "rand_skip: 5", seed=seed)
        starts.add(int(step(net)[1][0]))
        net.close()
    assert starts == {10, 11, 12, 13, 14}


@pytest.mark.parametrize("transform", ["", "mirror: true crop_size: 3"])
def test_a_restored_net_goes_on_with_the_image_that_was_due(
    tmp_path: Path, pictures: np.ndarray, transform: str
) -> None:
    net, again = (make(tmp_path, GIVEN + "shuffle: true", transform, seed=3) for _ in range(2))
    for _ in range(4):
        step(net)
    again.restore(net.state())
    for _ in range(4):
        for found, expected in zip(step(again), step(net), strict=True):
            np.testing.assert_array_equal(found, expected)
    net.close()
    again.close()


@pytest.mark.parametrize(
    ("image_data", "transform", "message"),
    [
        ("", "", "needs a source, a text file of images"),
        ('source: "list.txt" batch_size: 0', "", "needs a batch_size of 1 or more"),
        (
            GIVEN + "new_height: 6",
            "",
            "new_height and new_width go together, got 6 and 0",
        ),
        (
            GIVEN + "new_width: 3",
            "",
            "new_height and new_width go together, got 0 and 3",
        ),
        (GIVEN + "short_side: 3", "", "short_side is not supported here; give new_height and new"),
        (GIVEN + "dataset_share_per_node: 0.5", "", "leave dataset_share_per_node at 1"),
        (GIVEN + "mirror: true", "", "mirror belongs in transform_param"),
        (GIVEN + 'mean_file: "m"', "", "mean_file belongs in transform_param"),
        (GIVEN, "force_gray: true", "force_gray is for databases; set is_color"),
        (
            GIVEN,
            "crop_size: 9",
            r"crop_size 9 is larger than the images, which are 4x5 \(the first, .*/list.txt:1: "
            r"0.png, is 3x4x5\)",
        ),
        (GIVEN, "mean_value: 1 mean_value: 2", "expected 1 mean_value or one for each of 3"),
    ],
)
def test_settings_that_cannot_be(
    tmp_path: Path, pictures: np.ndarray, image_data: str, transform: str, message: str
) -> None:
    with pytest.raises(NetworkError, match=message):
        make(tmp_path, image_data, transform)


@pytest.mark.parametrize(
    ("image_data", "transform", "message"),
    [
        ('source: "absent.txt"', "", "absent.txt: cannot be read: No such file"),
        (GIVEN + 'root_folder: "all/"', "", "list.txt:1: all/0.png: cannot be read: No such file"),
        (GIVEN, 'mean_file: "absent.npy"', "absent.npy: cannot be read"),
    ],
)
def test_data_errors_come_through(
    tmp_path: Path, pictures: np.ndarray, image_data: str, transform: str, message: str
) -> None:
    with pytest.raises(DataError, match=message):
        make(tmp_path, image_data, transform)


def test_a_size_that_differs_is_named(tmp_path: Path, pictures: np.ndarray) -> None:
    Image.new("RGB", (6, 4)).save(tmp_path / "4.png")
    message = "list.txt:5: 4.png: the image is 3x4x6, but the first one is 3x4x5; resize"
    with pytest.raises(DataError, match=message):
        make(tmp_path)
    net = make(tmp_path, GIVEN, "crop_size: 3 mean_value: 4", phase=TEST)
    step(net)
    np.testing.assert_array_equal(step(net)[0][1], np.full((3, 3, 3), -4))
    net.close()


@pytest.mark.gpu
def test_a_gpu_gets_the_same(tmp_path: Path, pictures: np.ndarray) -> None:
    text = GIVEN + "shuffle: true"
    on_cpu = make(tmp_path, text, "mirror: true crop_size: 3")
    on_gpu = make(tmp_path, text, "mirror: true crop_size: 3", device="cuda:0")
    for _ in range(4):
        for found, expected in zip(step(on_gpu), step(on_cpu), strict=True):
            np.testing.assert_array_equal(found, expected)
    on_cpu.close()
    on_gpu.close()


def test_the_example_of_the_page_runs_once_its_files_are_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = (Path(__file__).parents[2] / "layers" / "ImageData.md").read_text()
    ((reason, example),) = re.findall(r"```prototxt no-run: ([^\n]*)\n(.*?)```", page, re.DOTALL)
    assert "list.txt" in reason
    ((lines),) = re.findall(r"```text\n(.*?)```", page, re.DOTALL)
    for line in lines.splitlines():
        path = tmp_path / "images" / line.rpartition(" ")[0]
        path.parent.mkdir(parents=True)
        Image.new("RGB", (40, 50), "red").save(path)
    (tmp_path / "list.txt").write_text(lines)
    monkeypatch.chdir(tmp_path)
    net = Net(plan_net(read_net(Source("ImageData.md", example)), phase=TRAIN), Device())
    net.forward()
    net.backward()
    assert net.loss() > 0
    assert net.store.diff.any()
    net.close()


def test_a_list_may_have_no_labels(tmp_path: Path, pictures: np.ndarray) -> None:
    (tmp_path / "bare.txt").write_text("\n".join(f"{index}.png" for index in range(COUNT)))
    fields = 'source: "bare.txt" batch_size: 3 label: false'
    text = f'layer {{ name: "in" type: "ImageData" top: "data" image_data_param {{ {fields} }} }}'
    source = Source(str(tmp_path / "net.prototxt"), text)
    plan = plan_net(read_net(source), phase=TEST, context=LayerContext(tmp_path))
    net = Net(plan, Device("cpu"))
    net.forward()
    np.testing.assert_array_equal(net.blobs["data"].data, pictures[:3])
    net.close()
    with pytest.raises(NetworkError, match="label: false leaves no labels for a second top"):
        make(tmp_path, fields)
    with pytest.raises(DataError, match=r"list.txt:1: 0.png 10: cannot be read"):
        plan_net(
            read_net(Source(str(tmp_path / "net.prototxt"), text.replace("bare", "list"))),
            phase=TEST,
            context=LayerContext(tmp_path),
        )
