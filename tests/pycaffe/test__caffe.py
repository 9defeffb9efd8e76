"""What scripts name of the compiled half of Caffe's module."""

from __future__ import annotations

from pathlib import Path

import protonet.pycaffe as caffe


def test_parameters_are_of_its_class(tmp_path: Path) -> None:
    """Scripts that fold batch normalization ask so for layers with parameters."""
    file = tmp_path / "net.prototxt"
    file.write_text("""
      layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 1 dim: 2 } } }
      layer { name: "ip" type: "InnerProduct" bottom: "x" top: "ip"
        inner_product_param { num_output: 3 } }
    """)
    net = caffe._caffe.Net(str(file), caffe.TEST)
    assert type(net.params["ip"]) is caffe._caffe.BlobVec


def test_its_names_are_those_of_the_module() -> None:
    shared = set(caffe._caffe.__all__) - {"BlobVec"}
    assert shared <= set(caffe.__all__)
    assert all(getattr(caffe, name) is getattr(caffe._caffe, name) for name in shared)
