"""A net of a prototxt with weights, ready to run."""

from __future__ import annotations

from pathlib import Path

import pytest

from protonet.errors import FormatError, NetworkError
from protonet.formats.caffemodel import read_model, write_model
from protonet.jobs.inference.open_net import NetOptions, open_net
from protonet.kernels import native
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


def test_quantized_weights_compute_in_8_bits(tmp_path: Path) -> None:
    model = read_model("digits_iter_200.caffemodel")
    for layer in model.layer:
        if layer.type == "Convolution":
            layer.int8_param.bottom.add(low=0, high=20)
    path = tmp_path / "quantized.caffemodel"
    write_model(path, model)
    options = NetOptions(phase=TEST, weights=str(path), fuse=True)
    net = open_net(Path("train_val.prototxt"), options, reads_inner_blobs=lambda _: False)
    computed = ["conv1", "conv2"] if native.has("int8") else []
    assert [step.name for step in net.plan.steps if step.in_integers] == computed
    net.close()
    net = open_net(Path("train_val.prototxt"), options)
    assert not any(step.in_integers for step in net.plan.steps)
    net.close()
