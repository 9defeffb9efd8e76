"""HDF5Output: what is in the file, when it is there, and what is refused."""

from __future__ import annotations

import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

from protonet.device import Device
from protonet.errors import FormatError, NetworkError, UsageError
from protonet.graph.net import Net
from protonet.graph.planning import plan_net
from protonet.proto.caffe_pb2 import TEST, TRAIN
from protonet.proto.text import Source, read_net

TEXT = """layer {{ name: "in" type: "Input" top: "x" top: "t"
  input_param {{ shape {{ {} }} shape {{ {} }} }} }}
layer {{ name: "ip" type: "InnerProduct" bottom: "x" top: "y"
  inner_product_param {{ num_output: 2 weight_filler {{ type: "xavier" }} }} }}
layer {{ name: "out" type: "HDF5Output" bottom: "{}" bottom: "t" {} }}
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def make(
    x: tuple[int, ...] = (3, 2, 5),
    t: tuple[int, ...] = (3,),
    bottom: str = "x",
    param: str = 'hdf5_output_param { file_name: "out.h5" }',
    phase: int = TEST,
    device: str = "cpu",
) -> Net:
    shapes = [" ".join(f"dim: {extent}" for extent in shape) for shape in (x, t)]
    text = TEXT.format(*shapes, bottom, param)
    return Net(plan_net(read_net(Source("net", text)), phase=phase), Device(device))


def feed(net: Net, seed: int) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    fed = []
    for name in ("x", "t"):
        blob = net.blobs[name].data
        values = generator.standard_normal(blob.shape).astype(np.float32)
        net.device.put(values, blob)
        fed.append(values)
    net.forward()
    return fed[0], fed[1]


def test_all_passes_follow_each_other(folder: Path) -> None:
    net = make()
    passes = [feed(net, seed) for seed in range(3)]
    assert not (folder / "out.h5").exists()
    net.close()
    net.close()
    assert [path.name for path in folder.iterdir()] == ["out.h5"]
    with h5py.File("out.h5") as file:
        assert sorted(file) == ["data", "label"]
        assert file["data"].dtype == np.float32
        expected = np.concatenate([x for x, _ in passes])[..., None]
        np.testing.assert_array_equal(file["data"][()], expected)
        expected = np.concatenate([t for _, t in passes])[:, None, None, None]
        np.testing.assert_array_equal(file["label"][()], expected)


def test_more_than_four_axes() -> None:
    net = make((2, 3, 1, 2, 5), (2, 1))
    x, _ = feed(net, 0)
    net.close()
    with h5py.File("out.h5") as file:
        np.testing.assert_array_equal(file["data"][()], x)
        assert file["label"].shape == (2, 1, 1, 1)


def test_a_computed_bottom_that_gets_no_gradient() -> None:
    net = make(bottom="y", phase=TRAIN)
    feed(net, 0)
    net.backward()
    assert not net.store.diff.any()
    features = net.blobs["y"].data.copy()
    net.close()
    with h5py.File("out.h5") as file:
        np.testing.assert_array_equal(file["data"][:, :, 0, 0], features)


def test_what_was_written_can_be_read_as_data() -> None:
    net = make()
    x, _ = feed(net, 0)
    net.close()
    Path("list.txt").write_text("out.h5")
    text = """layer { name: "in" type: "HDF5Data" top: "data" top: "label"
      hdf5_data_param { source: "list.txt" batch_size: 3 } }"""
    again = Net(plan_net(read_net(Source("net", text)), phase=TEST), Device())
    again.forward()
    np.testing.assert_array_equal(again.blobs["data"].data[..., 0], x)


def test_a_net_that_never_ran_writes_nothing(folder: Path) -> None:
    make().close()
    assert list(folder.iterdir()) == []


def test_a_net_that_is_forgotten_leaves_its_file(folder: Path) -> None:
    import gc

    net = make()
    feed(net, 0)
    del net
    gc.collect()
    assert (folder / "out.h5").exists()


def test_what_was_there_stays_until_the_net_is_closed(folder: Path) -> None:
    (folder / "out.h5").write_bytes(b"before")
    net = make()
    feed(net, 0)
    assert (folder / "out.h5").read_bytes() == b"before"
    net.close()
    assert h5py.is_hdf5(folder / "out.h5")


def test_a_folder_that_goes_away(folder: Path) -> None:
    (folder / "there").mkdir()
    net = make(param='hdf5_output_param { file_name: "there/out.h5" }')
    (folder / "there").rmdir()
    with pytest.raises(UsageError, match=r"there/out.h5: cannot be written: No such file"):
        feed(net, 0)
    net.close()


def test_a_batch_of_another_shape(folder: Path) -> None:
    net = make()
    layer = net.layers[-1]
    feed(net, 0)
    with pytest.raises(FormatError, match=r"rows of 'data' have shape \(2, 4, 1\), those before"):
        layer.forward([np.ones((3, 2, 4), np.float32), np.ones(3, np.float32)], [])
    net.close()
    with h5py.File("out.h5") as file:
        assert len(file["data"]) == 3


@pytest.mark.parametrize(
    ("param", "message"),
    [
        ("", "hdf5_output_param needs a file_name"),
        (
            'hdf5_output_param { file_name: "absent/out.h5" }',
            "absent/out.h5 cannot be written: there is no folder absent",
        ),
        ('hdf5_output_param { file_name: "." }', r"\. is a folder, not a file"),
    ],
)
def test_what_is_refused(param: str, message: str) -> None:
    with pytest.raises(NetworkError, match=message):
        make(param=param)


def test_different_numbers_of_items() -> None:
    with pytest.raises(NetworkError, match="expected as many labels as data, got 4 and 3x2x5"):
        make(t=(4,))


def test_without_h5py(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(UsageError, match=r"pip install 'protonet\[hdf5\]'"):
        make()


@pytest.mark.gpu
def test_a_gpu_s_arrays_are_written() -> None:
    net = make(device="cuda:0")
    x, _ = feed(net, 0)
    net.close()
    with h5py.File("out.h5") as file:
        np.testing.assert_array_equal(file["data"][..., 0], x)
