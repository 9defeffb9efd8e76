"""Fields that are taken and have no effect."""

from __future__ import annotations

from pathlib import Path

import pytest

import protonet
from protonet.proto import caffe_pb2
from protonet.proto.caffe_pb2 import NetParameter, SolverParameter
from protonet.proto.ignored import IGNORED, ignored_fields
from protonet.proto.text import Source, parse

FIELDS = [(message, name) for message, names in IGNORED.items() for name in sorted(names)]


@pytest.mark.parametrize(("message", "name"), FIELDS)
def test_what_is_called_ignored_is_read_nowhere(message: str, name: str) -> None:
    assert name in getattr(caffe_pb2, message).DESCRIPTOR.fields_by_name
    root = Path(protonet.__file__).parent
    for path in root.rglob("*.py"):
        if path.name in ("caffe_pb2.py", "ignored.py"):
            continue
        text = path.read_text()
        assert f".{name}" not in text, path
        assert f'"{name}"' not in text, path


def test_each_is_told_once() -> None:
    layer = 'layer { type: "ReLU" forward_type: FLOAT16 }'
    net = parse(Source("net", f"{layer} {layer} reduce_buckets: 3"), NetParameter)
    assert ignored_fields(net) == ["reduce_buckets", "layer.forward_type"]
    solver = SolverParameter(eval_type="ssd", base_lr=1, net_param=net)
    assert sorted(ignored_fields(solver)) == [
        "eval_type",
        "net_param.layer.forward_type",
        "net_param.reduce_buckets",
    ]
