"""Fields that are taken and have no effect."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import protonet
from protonet.proto import caffe_pb2
from protonet.proto.caffe_pb2 import NetParameter, SolverParameter
from protonet.proto.ignored import IGNORED, ignored_fields, ignored_notes
from protonet.proto.text import Source, parse
from protonet.testing import LayerHarness

FIELDS = [(message, name) for message, names in IGNORED.items() for name in sorted(names)]


@pytest.mark.parametrize(("message", "name"), FIELDS)
def test_what_is_called_ignored_is_read_nowhere(message: str, name: str) -> None:
    assert name in getattr(caffe_pb2, message).DESCRIPTOR.fields_by_name
    root = Path(protonet.__file__).parent
    kinds = caffe_pb2.DESCRIPTOR.message_types_by_name.values()
    shared = sum(name in kind.fields_by_name for kind in kinds) > 1
    fields = caffe_pb2.LayerParameter.DESCRIPTOR.fields
    holders = [each.name for each in fields if getattr(each.message_type, "name", "") == message]
    for path in root.rglob("*.py"):
        if path.name in ("caffe_pb2.py", "ignored.py"):
            continue
        text = path.read_text()
        if shared and holders and holders[0] not in text:
            continue  # reads the field of another message
        assert f".{name}" not in text, path
        assert f'"{name}"' not in text, path


def test_each_is_told_once() -> None:
    layer = 'layer { type: "ReLU" forward_type: FLOAT16 }'
    net = parse(Source("net", f"{layer} {layer} reduce_buckets: 3"), NetParameter)
    assert ignored_fields(net) == ["reduce_buckets", "layer.forward_type"]
    solver = SolverParameter(larc_turbo=True, base_lr=1, net_param=net)
    assert sorted(ignored_fields(solver)) == [
        "larc_turbo",
        "net_param.layer.forward_type",
        "net_param.reduce_buckets",
    ]


def test_fields_of_intel_and_of_faster_rcnn() -> None:
    relu = 'layer { type: "ReLU" engine: "MKLDNN" relu_param { engine: MKL2017 } }'
    text = f"""engine: "MKL2017" {relu} {relu}
layer {{ type: "Convolution" convolution_param {{ engine: MKLDNN }}
  quantization_param {{ precision: DYNAMIC_FIXED_POINT bw_params: 8 scale_in: 2.5
    is_negative_input: true }} }}
layer {{ type: "Pooling" pooling_param {{ engine: CAFFE }} multinode {{ num_nodes: 2 }} }}
layer {{ type: "Dropout" dropout_param {{ scale_train: false }} }}"""
    net = parse(Source("net", text), NetParameter)
    assert sorted(ignored_notes(net, net)) == [
        f"{name} has no effect here"
        for name in (
            "engine: MKL2017",
            "layer.convolution_param.engine: MKLDNN",
            "layer.dropout_param.scale_train",
            "layer.engine: MKLDNN",
            "layer.multinode",
            "layer.quantization_param",
            "layer.relu_param.engine: MKL2017",
        )
    ]


@pytest.mark.parametrize(
    "kind", ["BatchNorm", "Convolution", "Dropout", "LRN", "Pooling", "ReLU", "Softmax"]
)
def test_the_engines_of_intel_make_no_difference(kind: str) -> None:
    field = {"BatchNorm": "batch_norm_param"}.get(kind, f"{kind.lower()}_param")
    more = {"Convolution": "num_output: 2 kernel_size: 2 weight_filler { type: 'xavier' }",
            "Pooling": "kernel_size: 2"}.get(kind, "")  # fmt: skip
    x = np.arange(24.0).reshape(1, 2, 3, 4)
    tops = [
        LayerHarness(f'type: "{kind}" {field} {{ {more} {engine} }}', [x]).forward()[0]
        for engine in ("", "engine: MKL2017", "engine: MKLDNN")
    ]
    for top in tops[1:]:
        np.testing.assert_array_equal(top, tops[0])
