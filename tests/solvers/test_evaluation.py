"""The form of average precision that a solver names."""

from __future__ import annotations

import pytest

from protonet.errors import NetworkError
from protonet.proto.caffe_pb2 import SolverParameter
from protonet.proto.text import Source, read_solver
from protonet.solvers.check import check_solver
from protonet.solvers.evaluation import ap_version
from protonet.solvers.mistakes import SolverError


def test_the_default_is_that_of_the_fork() -> None:
    assert ap_version(SolverParameter()) == "Integral"
    assert ap_version(SolverParameter(ap_version="11point")) == "11point"


def test_another_form_is_refused_with_its_line() -> None:
    text = 'base_lr: 1 lr_policy: "fixed"\nap_version: "11-point"'
    source = Source("solver.prototxt", text)
    with pytest.raises(NetworkError) as caught:
        check_solver(read_solver(source), source)
    (mistake,) = caught.value.mistakes
    assert mistake.line == 2
    assert mistake.message == "unknown ap_version '11-point'; did you mean '11point'?"
    assert "11point, MaxIntegral, Integral" in str(caught.value)
    with pytest.raises(SolverError, match="unknown ap_version 'VOC'"):
        ap_version(SolverParameter(ap_version="VOC"))
