"""What Caffe has not stays out of the files that it reads."""

from __future__ import annotations

from protonet.jobs.beyond import heading, merge, split
from protonet.proto.caffe_pb2 import SolverParameter
from protonet.proto.text import Source, read_solver, write_text


def test_a_solver_is_split_and_merged() -> None:
    solver = SolverParameter(
        type="AdamW", lr_policy="cosine", base_lr=0.5, max_iter=9, rampup_interval=3, min_lr=0.25
    )
    plain, left = split(solver)
    assert left == {"rampup_interval": 3, "min_lr": 0.25, "type": "AdamW", "lr_policy": "cosine"}
    assert write_text(plain) == (
        'base_lr: 0.5\nmax_iter: 9\nlr_policy: "poly"\npower: 1.0\ntype: "Adam"\n'
    )
    assert solver.type == "AdamW"
    text = heading(left) + write_text(plain)
    assert text.startswith(
        "# What Caffe has not, and run.json keeps: rampup_interval 3, min_lr 0.25, type AdamW, "
        "lr_policy cosine.\n"
    )
    again = read_solver(Source("solver.prototxt", text))
    merge(again, left)
    again.ClearField("power")
    assert again == solver


def test_a_solver_of_caffe_stays_as_it_is() -> None:
    solver = SolverParameter(type="Adam", lr_policy="poly", power=2, base_lr=0.5)
    plain, left = split(solver)
    assert (plain, left) == (solver, {})
    assert heading(left) == ""
