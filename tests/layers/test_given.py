"""Input and DummyData; ``test_inputs`` tests them beside Data."""

from __future__ import annotations

import subprocess
import sys

import numpy as np

from protonet.proto.caffe_pb2 import TEST
from tests.graph.nets import net_of

TEXT = """
layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 2 dim: 3 } } }
layer { name: "ones" type: "DummyData" top: "y" dummy_data_param {
  shape { dim: 2 dim: 3 } data_filler { type: "constant" value: 1.5 } } }
layer { name: "sum" type: "Eltwise" bottom: "x" bottom: "y" top: "z" }
"""


def test_what_a_caller_and_a_filler_set() -> None:
    net = net_of(TEXT, TEST)
    net.inputs["x"].data[...] = [[0, 1, 2], [3, 4, 5]]
    net.forward()
    np.testing.assert_array_equal(net.blobs["z"].data, [[1.5, 2.5, 3.5], [4.5, 5.5, 6.5]])


def test_they_import_nothing_that_reads_data() -> None:
    code = "import sys, protonet.layers.given as _; print([m for m in sys.modules if 'lmdb' in m])"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout == "[]\n"
