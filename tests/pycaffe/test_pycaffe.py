"""Imports from the module of this name inside Caffe's."""

from __future__ import annotations

import protonet.pycaffe as caffe
from protonet.pycaffe.pycaffe import Net, SGDSolver


def test_its_names_are_those_of_the_module() -> None:
    assert (Net, SGDSolver) == (caffe.Net, caffe.SGDSolver)
    shared = caffe.pycaffe.__all__
    assert all(getattr(caffe, name) is getattr(caffe.pycaffe, name) for name in shared)
