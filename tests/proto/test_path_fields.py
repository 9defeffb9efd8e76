"""File names that escapes have spoiled."""

from __future__ import annotations

import pytest

from protonet.errors import NetworkError
from protonet.proto.caffe_pb2 import SolverParameter
from protonet.proto.path_fields import path_findings
from protonet.proto.text import Source, read_net, read_solver


def test_paths_of_windows_are_told_to_use_slashes() -> None:
    layer = 'layer {{ name: "d" type: "Data" top: "d" data_param {{ source: "{}" }} }}'
    with pytest.raises(NetworkError) as caught:
        read_net(Source("net", layer.format(r"C:\temp\new")))
    assert str(caught.value) == (
        "net:1:62: 'source' holds a tab (from '\\t') and a line break (from '\\n')\n"
        '    layer { name: "d" type: "Data" top: "d" data_param { source: "C:\\temp\\new" } }\n'
        + " " * 65
        + "^\n    write paths with '/', on Windows too, or each backslash twice"
    )
    with pytest.raises(NetworkError) as caught:
        read_net(Source("net", layer.format(r"C:\Users\data")))
    (mistake,) = caught.value.mistakes
    assert mistake.message == "'\\U' is no escape of a string"
    assert (mistake.column, mistake.hint[:21]) == (65, "write paths with '/',")
    fine = read_net(Source("net", layer.format(r"C:\\temp\\new"))).net
    assert fine.layer[0].data_param.source == "C:\\temp\\new"


def test_paths_of_solvers_are_looked_at_and_other_texts_are_not() -> None:
    with pytest.raises(NetworkError, match=r"s:1:23: 'weights' holds a bell"):
        read_solver(Source("s", r'weights: "a" weights: "b\a"'))
    with pytest.raises(NetworkError, match=r"s:1:18: 'snapshot_prefix' holds a zero byte"):
        read_solver(Source("s", r'snapshot_prefix: "a\000b"'))
    layer = r'layer { name: "p" type: "Python" python_param { param_str: "k:\n - 1" } }'
    assert read_net(Source("net", layer)).net.layer[0].python_param.param_str == "k:\n - 1"
    assert list(path_findings(SolverParameter(net="a\tb", type="a\tb"))) == [
        (
            ("net",),
            "'net' holds a tab (from '\\t')",
            "write paths with '/', on Windows too, or each backslash twice",
        )
    ]
