"""Net: names, blobs that the next pass sees, passes over parts, batches, files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import protonet.pycaffe as caffe
from protonet.errors import FormatError, LayerError, NetworkError, UsageError
from tests.pycaffe.conftest import DEPLOY, TRAIN

Make = Callable[..., caffe.Net]


@pytest.fixture
def data() -> np.ndarray:
    return np.random.default_rng(0).standard_normal((4, 3, 5, 6)).astype(np.float32)


def test_names(net_of: Make) -> None:
    net = net_of()
    assert net.inputs == ["data"]
    assert net.outputs == ["prob"]
    assert list(net.blobs) == ["data", "conv", "fc", "prob"]
    assert list(net.params) == ["conv", "fc"]
    assert [layer.type for layer in net.layers] == [
        "Input",
        "Convolution",
        "ReLU",
        "InnerProduct",
        "Softmax",
    ]
    assert net.layer_dict["fc"].blobs[0].data.shape == (7, 24)
    assert net.top_names["relu"] == net.bottom_names["relu"] == ["conv"]
    assert len(net.params["conv"]) == 2
    blob = net.blobs["conv"]
    assert (blob.num, blob.channels, blob.height, blob.width) == (4, 2, 3, 4)
    assert blob.count == 96


def test_loss_weights(net_of: Make) -> None:
    assert net_of(TRAIN, caffe.TRAIN).blob_loss_weights == {
        "data": 0,
        "label": 0,
        "conv": 0,
        "fc": 0,
        "loss": 1,
    }


def test_what_is_written_is_what_the_next_pass_sees(net_of: Make, data: np.ndarray) -> None:
    net = net_of()
    net.blobs["data"].data[...] = data
    before = net.forward()["prob"].copy()
    net.params["fc"][1].data[2] += 3
    after = net.forward()["prob"]
    assert (after[:, 2] > before[:, 2]).all()
    assert after is net.blobs["prob"].data
    net.params["fc"][0].data.flat = 0
    assert np.ptp(net.forward()["prob"][:, 3:]) == 0


def test_inputs_by_name(net_of: Make, data: np.ndarray) -> None:
    net = net_of()
    np.testing.assert_allclose(net.forward(data=data)["prob"].sum(axis=1), 1, rtol=1e-6)
    with pytest.raises(ValueError, match="do not match net inputs"):
        net.forward(image=data)
    with pytest.raises(ValueError, match="expected 4 items, got 2"):
        net.forward(data=data[:2])


def test_a_pass_over_a_part(net_of: Make, data: np.ndarray) -> None:
    net = net_of()
    whole = net.forward(blobs=["fc"], data=data)
    assert set(whole) == {"prob", "fc"}
    expected = whole["prob"].copy()
    part = net.forward(end="conv")
    assert list(part) == ["conv"]
    assert part["conv"].min() < 0
    assert net.forward(start="relu")["prob"] is net.blobs["prob"].data
    np.testing.assert_array_equal(net.blobs["prob"].data, expected)
    net.blobs["fc"].data[...] = 0
    np.testing.assert_allclose(net.forward(start="prob")["prob"], 1 / 7, rtol=1e-6)
    with pytest.raises(ValueError, match="no layer 'nowhere' in this net"):
        net.forward(end="nowhere")


def test_a_layer_in_place_sees_what_was_written_to_its_name(net_of: Make) -> None:
    net = net_of()
    net.forward(end="relu")
    net.blobs["conv"].data[...] = -1
    net.forward(start="relu", end="relu")
    assert not net.blobs["conv"].data.any()


def test_backward_from_a_gradient(net_of: Make, data: np.ndarray) -> None:
    """The gradient of one score, by differences."""
    net = net_of()
    net.forward(data=data)
    slope = np.zeros((4, 7), np.float32)
    slope[1, 3] = 1
    found = net.backward(prob=slope)["data"].copy()
    assert found.shape == data.shape
    assert not found[[0, 2, 3]].any()
    direction = np.random.default_rng(1).standard_normal(data.shape)
    scores = [net.forward(data=data + e * direction)["prob"][1, 3].copy() for e in (1e-2, -1e-2)]
    np.testing.assert_allclose((scores[0] - scores[1]) / 2e-2, (found * direction).sum(), rtol=2e-2)
    with pytest.raises(ValueError, match="do not match net outputs"):
        net.backward(data=data)
    with pytest.raises(ValueError, match="not batch sized"):
        net.backward(prob=slope[:2])


def test_backward_over_a_part(net_of: Make, data: np.ndarray) -> None:
    net = net_of()
    net.forward(data=data)
    net.blobs["fc"].diff[...] = 1
    part = net.backward(start="fc", end="fc", diffs=["fc"])
    assert set(part) == {"conv", "fc"}
    expected = np.broadcast_to(net.params["fc"][0].data.sum(axis=0), (4, 24))
    np.testing.assert_allclose(part["conv"].reshape(4, 24), expected, rtol=1e-5)
    assert not net.blobs["data"].diff.any()


def test_gradients_of_parameters_are_added_and_cleared(net_of: Make, data: np.ndarray) -> None:
    net = net_of(TRAIN, caffe.TRAIN)
    net.forward(data=data, label=np.arange(4))
    net.backward()
    once = net.params["fc"][0].diff.copy()
    assert once.any()
    net.backward()
    np.testing.assert_allclose(net.params["fc"][0].diff, 2 * once)
    net.clear_param_diffs()
    assert not net.params["fc"][0].diff.any()


def test_all_batches(net_of: Make) -> None:
    net = net_of()
    images = np.random.default_rng(0).standard_normal((10, 3, 5, 6)).astype(np.float32)
    found = net.forward_all(blobs=["fc"], data=images)
    assert found["prob"].shape == (10, 7)
    for start in (0, 4):
        each = net.forward(data=images[start : start + 4])["prob"]
        np.testing.assert_array_equal(found["prob"][start : start + 4], each)
    tops, bottoms = net.forward_backward_all(data=images, prob=np.ones((10, 7)))
    np.testing.assert_array_equal(tops["prob"], found["prob"])
    assert bottoms["data"].shape == images.shape


def test_hooks_are_called_with_the_number_of_the_layer(net_of: Make, data: np.ndarray) -> None:
    net = net_of()
    expected = net.forward(data=data)["prob"].copy()
    seen: list[tuple[str, int]] = []
    for moment in ("before_forward", "after_forward", "before_backward", "after_backward"):

        def hook(layer: int, moment: str = moment) -> None:
            seen.append((moment, layer))

        getattr(net, moment)(hook)
    net.forward()
    net.backward()
    np.testing.assert_array_equal(net.blobs["prob"].data, expected)
    forward = [(f"{when}_forward", i) for i in range(5) for when in ("before", "after")]
    backward = [(f"{when}_backward", i) for i in range(4, -1, -1) for when in ("before", "after")]
    assert seen == forward + backward


def test_another_batch_and_image_size(net_of: Make) -> None:
    text = DEPLOY.replace('type: "InnerProduct"', 'type: "Convolution"').replace(
        "inner_product_param { num_output: 7", "convolution_param { num_output: 7 kernel_size: 1"
    )
    net = net_of(text)
    net.blobs["data"].reshape(2, 3, 9, 8)
    net.blobs["data"].data[...] = 1
    assert net.blobs["conv"].shape == (4, 2, 3, 4)
    net.reshape()
    assert net.blobs["conv"].data.shape == (2, 2, 7, 6)
    assert (net.blobs["data"].data == 1).all()
    # Without reshape, the next pass does it.
    net.blobs["data"].reshape(1, 3, 4, 4)
    assert net.forward(data=np.ones((1, 3, 4, 4)))["prob"].shape == (1, 7, 2, 2)
    net.blobs["data"].reshape(1, 5, 4, 4)
    with pytest.raises(LayerError, match='layer "conv"'):
        net.reshape()


def test_a_blob_that_a_layer_makes_takes_a_shape_until_the_next_pass(net_of: Make) -> None:
    net = net_of()
    shape = net.blobs["prob"].shape
    net.blobs["prob"].reshape(1, 9)
    assert net.blobs["prob"].data.shape == (1, 9)
    net.forward()
    assert net.blobs["prob"].data.shape == shape


@pytest.mark.parametrize("name", ["w.caffemodel", "w.caffemodel.h5"])
def test_weights_go_to_files_and_back(net_of: Make, tmp_path: Path, name: str) -> None:
    caffe.set_random_seed(1)
    net = net_of()
    net.save(str(tmp_path / name))
    caffe.set_random_seed(0)
    path = tmp_path / name
    loaded = net_of()
    assert (loaded.params["fc"][0].data != net.params["fc"][0].data).any()
    loaded.copy_from(path)
    for other in (
        loaded,
        net_of(DEPLOY, str(path), caffe.TEST),
        net_of(DEPLOY, caffe.TEST, weights=path),
    ):
        np.testing.assert_array_equal(other.params["fc"][0].data, net.params["fc"][0].data)


def test_weights_as_hdf5_under_any_name(net_of: Make, tmp_path: Path) -> None:
    net = net_of()
    net.save_hdf5(str(tmp_path / "weights"))
    kept = net.params["fc"][0].data.copy()
    net.params["fc"][0].data[...] = 0
    net.load_hdf5(str(tmp_path / "weights"))
    np.testing.assert_array_equal(net.params["fc"][0].data, kept)


def test_shared_parameters_are_the_other_net_s(net_of: Make, data: np.ndarray) -> None:
    train, test = net_of(TRAIN, caffe.TRAIN), net_of()
    test.share_with(train)
    train.params["fc"][0].data[...] = 0
    train.params["fc"][1].data[...] = np.arange(7)
    scores = test.forward(data=data)["prob"]
    np.testing.assert_allclose(scores, np.tile(scores[0], (4, 1)), rtol=1e-6)
    assert scores[0].argmax() == 6
    assert not np.shares_memory(test.params["fc"][0].diff, train.params["fc"][0].diff)
    other = net_of(DEPLOY.replace("num_output: 7", "num_output: 5"))
    with pytest.raises(FormatError, match="'fc' cannot share parameters: expected 5x24, 5, got"):
        other.share_with(train)


def test_stages_and_levels(net_of: Make) -> None:
    text = DEPLOY.replace('top: "prob" }', 'top: "prob" include { stage: "last" min_level: 2 } }')
    assert net_of(text).outputs == ["fc"]
    assert net_of(text, caffe.TEST, level=2, stages=["last"]).outputs == ["prob"]
    assert net_of(text, caffe.TEST, 2, ["last"]).outputs == ["prob"]


def test_what_cannot_be(net_of: Make, tmp_path: Path) -> None:
    with pytest.raises(NetworkError, match="unknown layer type"):
        net_of(DEPLOY.replace("Softmax", "Softmux"))
    with pytest.raises(UsageError):
        caffe.Net(str(tmp_path / "nowhere.prototxt"), caffe.TEST)
    with pytest.raises(UsageError):
        net_of(DEPLOY, str(tmp_path / "nowhere.caffemodel"), caffe.TEST)
    with pytest.raises(TypeError, match=r"expected Net\(network, phase\)"):
        net_of(DEPLOY, "weights")
    with pytest.raises(UsageError, match="needs a MemoryData layer first, got 'in' \\(Input\\)"):
        net_of().set_input_arrays(np.ones(1), np.ones(1))


def test_arrays_for_a_memory_data_layer(net_of: Make) -> None:
    net = net_of(
        'layer { name: "data" type: "MemoryData" top: "x" top: "y" '
        "memory_data_param { batch_size: 2 channels: 3 height: 4 width: 5 } }"
    )
    data = np.random.default_rng(0).standard_normal((6, 3, 4, 5)).astype(np.float32)
    net.set_input_arrays(data, np.arange(6))
    for start in (0, 2, 4, 0):
        found = net.forward()
        np.testing.assert_array_equal(found["x"], data[start : start + 2])
        assert found["y"].tolist() == [start, start + 1]
