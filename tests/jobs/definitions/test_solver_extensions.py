"""What Caffe has not stays out of the files that it reads."""

from __future__ import annotations

from protonet.jobs.definitions.solver_extensions import heading, merge, split
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
        "# Not in Caffe, and stored in run.json: rampup_interval 3, min_lr 0.25, type AdamW, "
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


def test_stages_and_layer_wise_rates_are_kept_too() -> None:
    solver = SolverParameter(
        lr_policy="multifixed", stagelr=[0.5, 0.25], stageiter=[3, 9], larc=True, larc_eta=0.5
    )
    plain, left = split(solver)
    assert write_text(plain) == 'base_lr: 0.5\nlr_policy: "fixed"\n'
    assert left["stagelr"] == [0.5, 0.25]
    again = SolverParameter()
    merge(again, left)
    assert again == solver


def test_a_solver_of_optim_is_caffes_nearest_in_the_file() -> None:
    solver = SolverParameter(
        type="TorchSGD", momentum=0.5, dampening=0, nesterov=True, learning_rate_decay=0.25
    )
    plain, left = split(solver)
    assert write_text(plain) == 'momentum: 0.5\ntype: "SGD"\n'
    assert left == {
        "dampening": 0.0, "nesterov": True, "learning_rate_decay": 0.25, "type": "TorchSGD",
    }  # fmt: skip
    again = SolverParameter(momentum=0.5)
    merge(again, left)
    assert again == solver
