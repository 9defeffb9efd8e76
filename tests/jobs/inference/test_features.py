"""Inner blobs as databases."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from protonet.data.database import Database
from protonet.jobs.inference.features import extract_features
from protonet.jobs.inference.open_net import NetOptions, open_net
from protonet.proto.caffe_pb2 import TEST

DIGITS = Path(__file__).parents[2] / "golden" / "digits"


@pytest.fixture(autouse=True)
def in_the_digits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(DIGITS)


def test_each_item_of_every_batch_is_stored(tmp_path: Path) -> None:
    net = open_net(Path("train_val.prototxt"), NetOptions(phase=TEST, batch_size=3))
    stores = {name: tmp_path / name for name in ("conv1", "label")}
    told: list[tuple[int, int]] = []
    assert extract_features(net, stores, 2, lambda done, of: told.append((done, of))) == 6
    last = np.array(net.blobs["conv1"].data[2])
    shape = last.shape
    net.close()
    assert told == [(1, 2), (2, 2)]
    with Database(stores["conv1"]) as found:
        items = [(key, datum) for key, datum in found]
    assert [key for key, _ in items] == [b"%010d" % place for place in range(6)]
    values = np.array(items[-1][1].float_data, np.float32).reshape(shape[0], -1)
    np.testing.assert_array_equal(values, last.reshape(shape[0], -1))
