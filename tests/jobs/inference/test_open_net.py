"""A net of a prototxt with weights, ready to run."""

from __future__ import annotations

from pathlib import Path

import pytest

from protonet.errors import FormatError, NetworkError
from protonet.jobs.inference.open_net import NetOptions, open_net
from protonet.proto.caffe_pb2 import TEST

DIGITS = Path(__file__).parents[2] / "golden" / "digits"


@pytest.fixture(autouse=True)
def in_the_digits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(DIGITS)


WANTED = NetOptions(phase=TEST)


def test_what_is_wanted_of_a_net() -> None:
    net = open_net(Path("train_val.prototxt"), NetOptions(phase=TEST, batch_size=3))
    assert net.blobs["data"].data.shape == (3, 1, 8, 8)
    assert not net.gradients
    net.close()


def test_what_cannot_be_opened(tmp_path: Path) -> None:
    with pytest.raises(FormatError):
        open_net(Path("train_val.prototxt"), NetOptions(phase=TEST, weights="caffe.log"))
    (tmp_path / "bad.prototxt").write_text("layer { type: 3 }")
    with pytest.raises(NetworkError):
        open_net(tmp_path / "bad.prototxt", WANTED)
