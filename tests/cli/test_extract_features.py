"""extract-features, called as Caffe's tool is."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import protonet.pycaffe as caffe
from protonet.data.database import Database
from protonet.data.datum import decode
from protonet.formats.caffemodel import read_model, write_model

DIGITS = Path(__file__).parents[1] / "golden" / "digits"
NET = ("digits_iter_200.caffemodel", "train_val.prototxt")


@pytest.fixture(autouse=True)
def digits(tmp_path: Path) -> None:
    shutil.copytree(DIGITS, tmp_path, dirs_exist_ok=True)


def test_the_values_are_those_of_the_net(
    protonet: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = protonet("extract-features", *NET, "ip1,conv2", "db1,db2", 2, "lmdb", "CPU")
    assert (found.returncode, found.stderr) == (0, "")
    assert found.stdout == "db1: 198 items of 'ip1' (lmdb)\ndb2: 198 items of 'conv2' (lmdb)\n"
    monkeypatch.chdir(tmp_path)
    net = caffe.Net(NET[1], NET[0], caffe.TEST)
    net.forward()
    net.forward()
    for path, blob, shape in (("db1", "ip1", (32, 1, 1)), ("db2", "conv2", (16, 3, 3))):
        with Database(tmp_path / path) as database:
            assert database.keys()[-1] == b"0000000197"
            items = [decode(datum, "") for _, datum in database]
        assert items[0].shape == shape
        expected = net.blobs[blob].data.reshape(-1, *shape)
        np.testing.assert_array_equal(items[99:], expected)


def test_what_cannot_be(protonet: Any, tmp_path: Path) -> None:
    for given, code, message in (
        ((*NET, "ip3", "db", 1), 2, "has no blob 'ip3'; did you mean 'ip"),
        ((*NET, "ip1,ip2", "db", 1), 2, "2 blob(s), but 1 database(s)"),
        ((*NET, "ip1", "test_db", 1), 2, "test_db: exists already"),
        ((NET[0], "nowhere.prototxt", "ip1", "db", 1), 2, "nowhere.prototxt"),
    ):
        found = protonet("extract-features", *given)
        assert found.returncode == code
        assert message in found.stderr
        assert not (tmp_path / "db").exists()


def test_a_leveldb(protonet: Any, tmp_path: Path) -> None:
    """With all arguments of Caffe's tool."""
    for kind in ("leveldb", "lmdb"):
        given = (*NET, "ip1", kind, 1, kind, "CPU", "DEVICE_ID=0")
        found = protonet("extract_features", *given)
        assert (found.returncode, found.stdout) == (0, f"{kind}: 99 items of 'ip1' ({kind})\n")
    with Database(tmp_path / "leveldb") as left, Database(tmp_path / "lmdb") as right:
        assert list(left) == list(right)


def test_weights_that_fit_no_layer_are_told(protonet: Any, tmp_path: Path) -> None:
    model = read_model(tmp_path / "digits_iter_200.caffemodel")
    (layer,) = [layer for layer in model.layer if layer.name == "ip2"]
    layer.name = "other"
    write_model(tmp_path / "old.caffemodel", model)
    found = protonet("extract-features", "old.caffemodel", NET[1], "ip2", "db", 1)
    assert found.returncode == 0
    assert found.stderr == (
        "Ignoring source layer other\n"
        "old.caffemodel: no weights for ip2; these keep the values of their fillers\n"
    )
