"""Small texts of our own in the style of public ones: none has an unknown type or field."""

from __future__ import annotations

import pytest

from protonet.graph.plan import plan_net
from protonet.proto.caffe_pb2 import TRAIN
from protonet.proto.text import Source, read_net

DATA = """layer { name: "in" type: "Input" top: "x" top: "t"
  input_param { shape { dim: 2 dim: 3 dim: 8 dim: 6 } shape { dim: 2 dim: 1 dim: 8 dim: 6 } } }
layer { name: "c" type: "Convolution" bottom: "x" top: "c"
  convolution_param { num_output: 1 kernel_size: 1 } }
"""
CORPUS = {
    "AbsLoss": DATA + 'layer { name: "l" type: "AbsLoss" bottom: "c" bottom: "t" top: "l" }',
    "SigmoidCrossEntropyBalanceLoss": DATA
    + """layer { name: "l" type: "SigmoidCrossEntropyBalanceLoss" bottom: "c" bottom: "t" top: "l"
  loss_weight: 5 }""",
    "ContinuationIndicator": """
input: "x" input_shape { dim: 4 dim: 2 dim: 3 }
layer { type: "ContinuationIndicator" top: "cont"
  continuation_indicator_param { time_step: 4 batch_size: 2 } }
layer { type: "LSTM" bottom: "x" bottom: "cont" top: "h" recurrent_param { num_output: 5 } }""",
}


@pytest.mark.parametrize("kind", CORPUS)
def test_a_public_style_is_planned(kind: str) -> None:
    plan = plan_net(read_net(Source(f"{kind}.prototxt", CORPUS[kind])), phase=TRAIN)
    assert kind in {layer.type for layer in plan.definition.net.layer}
    plan.close()
