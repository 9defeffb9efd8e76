"""What nets ask of layers that read data."""

from __future__ import annotations

import subprocess
import sys

from protonet.layers.batches import BatchLayer
from protonet.layers.given import Input
from protonet.layers.streams import Sharing, Skipping, Varying
from protonet.proto.caffe_pb2 import LayerParameter


def test_layers_that_read_data_are_known_by_what_they_have() -> None:
    spec = LayerParameter(name="x", type="Input")
    layer, plain = BatchLayer(spec), Input(spec)
    assert isinstance(layer, Sharing)
    assert isinstance(layer, Skipping)
    assert not isinstance(layer, Varying)
    for protocol in (Sharing, Skipping, Varying):
        assert not isinstance(plain, protocol)


def test_a_net_imports_nothing_that_reads_data() -> None:
    code = "import sys, protonet.graph.net; print([m for m in sys.modules if 'protonet.data' in m])"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout == "[]\n"
