"""Pictures of networks by the functions of Caffe's module."""

from __future__ import annotations

from pathlib import Path

from google.protobuf import text_format

import protonet.pycaffe as caffe
from protonet.proto.caffe_pb2 import NetParameter
from tests.pycaffe.conftest import DEPLOY


def net() -> NetParameter:
    text = DEPLOY.replace('top: "prob" }', 'top: "prob" include { phase: TEST } }')
    return text_format.Parse(text, NetParameter())


def test_a_file_of_the_kind_of_its_name(tmp_path: Path) -> None:
    caffe.draw.draw_net_to_file(net(), str(tmp_path / "net.svg"), "TB")
    text = (tmp_path / "net.svg").read_text()
    assert text.startswith("<?xml")
    caffe.draw.draw_net_to_file(net(), tmp_path / "net.png")
    assert (tmp_path / "net.png").read_bytes().startswith(b"\x89PNG")


def test_bytes_of_one_phase() -> None:
    whole, train = (caffe.draw.draw_net(net(), ext="svg", phase=p) for p in (caffe.TEST, 0))
    assert whole.startswith(b"<?xml")
    assert whole.count(b"prob") > 0 == train.count(b"prob")
