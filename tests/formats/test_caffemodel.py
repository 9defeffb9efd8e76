"""Weights: Caffe's own files read, ours read back, everything else refused by name."""

from __future__ import annotations

import os
import re
from pathlib import Path

import h5py
import numpy as np
import pytest

from protonet.errors import FormatError, UsageError
from protonet.formats import caffemodel
from protonet.formats.blobs import from_array, to_array
from protonet.formats.caffemodel import Weights, read_model, read_weights, write_model
from protonet.proto.caffe_pb2 import NetParameter, V1LayerParameter

GOLDEN = Path(__file__).parents[1] / "golden" / "solvers"
CASES = sorted(path.name for path in GOLDEN.iterdir())


def caffes_model(case: str) -> Path:
    (path,) = (GOLDEN / case).glob("snap_iter_5.caffemodel*")
    return path


def with_weights(weights: Weights) -> set[str]:
    """The layers that have any: a .caffemodel lists the others too."""
    return {name for name, params in weights.items() if len(params)}


def test_layers_without_weights_are_listed() -> None:
    weights = read_weights(caffes_model("sgd"))
    assert list(weights) == ["x", "t", "ip1", "act", "ip2", "loss"]
    assert weights["act"] == []


@pytest.mark.parametrize("case", CASES)
def test_caffes_weights_are_read(case: str) -> None:
    weights = read_weights(caffes_model(case))
    assert with_weights(weights) == {"ip1", "ip2"}
    data = np.load(GOLDEN / case / "data.npz")
    for layer in ("ip1", "ip2"):
        params = weights[layer]
        assert len(params) == 2
        for index, param in enumerate(params):
            assert param is not None
            assert param.dtype == np.float32
            np.testing.assert_array_equal(param, data[f"param/5/{layer}/{index}"])


def test_a_model_keeps_its_net_and_every_bit(tmp_path: Path) -> None:
    theirs = read_model(caffes_model("sgd"))
    assert [layer.name for layer in theirs.layer] == ["x", "t", "ip1", "act", "ip2", "loss"]
    write_model(tmp_path / "ours.caffemodel", theirs)
    assert read_model(tmp_path / "ours.caffemodel") == theirs


def test_hdf5_is_laid_out_as_caffes(tmp_path: Path) -> None:
    theirs = caffes_model("adam")
    net = read_model(caffes_model("sgd"))
    for layer in net.layer:
        for blob, array in zip(layer.blobs, read_weights(theirs).get(layer.name, ()), strict=True):
            assert array is not None
            blob.CopyFrom(from_array(array))
    write_model(tmp_path / "ours.caffemodel.h5", net)
    with h5py.File(theirs) as expected, h5py.File(tmp_path / "ours.caffemodel.h5") as found:
        assert listing(found) == listing(expected)


def listing(file: object) -> dict[str, object]:
    """Every node of an HDF5 file: type, shape and values of a dataset, None for a group."""
    nodes: dict[str, object] = {}

    def enter(name: str, node: object) -> None:
        values = node[()] if hasattr(node, "dtype") else None
        nodes[name] = None if values is None else (values.dtype, values.shape, values.tobytes())

    file.visititems(enter)
    return nodes


def test_shared_parameters_and_slashes(tmp_path: Path, small_net: NetParameter) -> None:
    left, _, right = ([to_array(blob) for blob in layer.blobs] for layer in small_net.layer)
    for name in ("w.caffemodel", "w.caffemodel.h5"):
        write_model(tmp_path / name, small_net)
        weights = read_weights(tmp_path / name)
        assert with_weights(weights) == {"pair/left", "pair/right"}
        np.testing.assert_array_equal(weights["pair/left"][0], left[0])
        np.testing.assert_array_equal(weights["pair/left"][1], left[1])
        np.testing.assert_array_equal(weights["pair/right"][1], right[1])
        lent = weights["pair/right"][0]
        if name.endswith(".h5"):
            assert lent is None
        else:
            np.testing.assert_array_equal(lent, right[0])


def test_the_content_decides_not_the_name(tmp_path: Path) -> None:
    (tmp_path / "a.caffemodel").write_bytes(caffes_model("adam").read_bytes())
    (tmp_path / "b.caffemodel.h5").write_bytes(caffes_model("sgd").read_bytes())
    assert with_weights(read_weights(tmp_path / "a.caffemodel")) == {"ip1", "ip2"}
    assert with_weights(read_weights(tmp_path / "b.caffemodel.h5")) == {"ip1", "ip2"}


def test_old_dialects_are_upgraded(tmp_path: Path) -> None:
    net = NetParameter(name="old")
    layer = net.layers.add(name="ip", type=V1LayerParameter.INNER_PRODUCT)
    layer.blobs.add(num=1, channels=1, height=2, width=3, data=[1, 2, 3, 4, 5, 6])
    (tmp_path / "old.caffemodel").write_bytes(net.SerializeToString())
    assert read_model(tmp_path / "old.caffemodel").layer[0].type == "InnerProduct"
    (array,) = read_weights(tmp_path / "old.caffemodel")["ip"]
    np.testing.assert_array_equal(array, [[[[1, 2, 3], [4, 5, 6]]]])


def test_an_old_net_that_cannot_be(tmp_path: Path) -> None:
    net = NetParameter(input=["data"], input_dim=[1, 3])
    net.layer.add(name="ip")
    (tmp_path / "odd.caffemodel").write_bytes(net.SerializeToString())
    with pytest.raises(
        FormatError, match=r"odd\.caffemodel: holds a net that cannot be.*input_dim"
    ):
        read_model(tmp_path / "odd.caffemodel")


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (
            "sgd/snap_iter_5.solverstate",
            "is a .solverstate (the state of a solver); expected a .caffemodel (weights); a state "
            "goes on with a training: --snapshot; its weights are in a file of their own",
        ),
        (
            "sgd/net.prototxt",
            "is a text, perhaps a prototxt; expected a .caffemodel (weights)",
        ),
    ],
)
def test_files_of_another_kind(source: str, words: str) -> None:
    with pytest.raises(FormatError, match=f"{re.escape(words)}$"):
        read_weights(GOLDEN / source)


def test_hdf5_files_of_another_kind(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=r"an HDF5 file; expected a \.caffemodel"):
        read_model(caffes_model("adam"))
    with pytest.raises(FormatError, match=r"is a \.solverstate\.h5; expected a \.caffemodel\.h5"):
        read_weights(GOLDEN / "adam" / "snap_iter_5.solverstate.h5")
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file["data"] = np.zeros(3)
    with pytest.raises(FormatError, match="is an HDF5 file of another kind"):
        read_weights(tmp_path / "x.h5")


def test_damaged_files(tmp_path: Path) -> None:
    path = tmp_path / "x.caffemodel"
    for data, words in (
        (b"", "is empty"),
        (b"\x01" + os.urandom(4000), "is damaged"),
        (caffes_model("sgd").read_bytes()[:200], "is damaged, cut short"),
    ):
        path.write_bytes(data)
        with pytest.raises(FormatError, match=rf"x\.caffemodel: {words}"):
            read_weights(path)


def test_a_blob_that_does_not_fit_its_shape(tmp_path: Path, small_net: NetParameter) -> None:
    small_net.layer[2].blobs[1].shape.dim[0] = 4
    write_model(tmp_path / "x.caffemodel", small_net)
    with pytest.raises(FormatError, match=r"layer 'pair/right' parameter 1 has 3 value\(s\)"):
        read_weights(tmp_path / "x.caffemodel")


def test_hdf5_with_other_datasets_in_a_layer(tmp_path: Path) -> None:
    for number, key in enumerate(("bias", "5000")):
        path = tmp_path / f"{number}.h5"
        with h5py.File(path, "w") as file:
            file[f"data/ip/{key}"] = np.zeros(3)
        with pytest.raises(FormatError, match=rf"/data/ip has \['{key}'\]; expected datasets 0, 1"):
            read_weights(path)


def test_hdf5_groups_that_contain_each_other(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file["data/ip/0"] = np.zeros(3)
        file["data/ip/back"] = file["data"]
    with pytest.raises(FormatError, match="the groups of /data contain each other"):
        read_weights(tmp_path / "x.h5")


def test_more_than_protobuf_holds(
    tmp_path: Path, small_net: NetParameter, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = sum(layer.ByteSize() + 8 for layer in small_net.layer)
    monkeypatch.setattr(caffemodel, "SIZE_LIMIT", size)
    write_model(tmp_path / "x.caffemodel", small_net)
    monkeypatch.setattr(caffemodel, "SIZE_LIMIT", size - 1)
    with pytest.raises(FormatError, match=r"larger than 2 GiB.*x\.caffemodel\.h5\)"):
        write_model(
            tmp_path / "x.caffemodel", NetParameter.FromString(small_net.SerializeToString())
        )


def test_a_full_disk(full_disk: Path, small_net: NetParameter) -> None:
    for name in ("x.caffemodel", "x.caffemodel.h5"):
        path = full_disk / name
        write_model(path, small_net)
        before = path.read_bytes()
        large = NetParameter()
        large.CopyFrom(small_net)
        large.layer[0].blobs[0].CopyFrom(from_array(np.zeros((100, 1000), np.float32)))
        with pytest.raises(FormatError, match="No space left on device"):
            write_model(path, large)
        assert path.read_bytes() == before
        assert [each.name for each in full_disk.iterdir()] == [name]
        path.unlink()


def test_no_such_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"absent\.caffemodel: cannot be read"):
        read_weights(tmp_path / "absent.caffemodel")
