"""Solvers and the nets that they name."""

from __future__ import annotations

from pathlib import Path

import pytest

from protonet.errors import NetworkError, UsageError
from protonet.jobs.definitions.solver_files import SolverFiles

NET = 'name: "n" state { stage: "own" } layer { name: "a" type: "Input" top: "a" }'
BASE = "base_lr: 0.1 lr_policy: 'fixed' max_iter: 3 "


def read(folder: Path, solver: str, **nets: str) -> SolverFiles:
    (folder / "solver.prototxt").write_text(BASE + solver)
    for name, text in nets.items():
        (folder / name).write_text(text)
    return SolverFiles.read(folder / "solver.prototxt")


def test_one_net_serves_training_and_every_test(tmp_path: Path) -> None:
    files = read(
        tmp_path,
        'net: "net" test_iter: 2 test_iter: 3 test_interval: 5 test_state { stage: "x" } '
        'test_state { level: 4 } train_state { stage: "t" }',
        net=NET,
    )
    assert files.train_state == {"level": 0, "stages": ["own", "t"]}
    assert [state for _, state in files.tests] == [
        {"level": 0, "stages": ["own", "x"]},
        {"level": 4, "stages": ["own"]},
    ]
    assert files.folder == tmp_path


def test_nets_of_their_own(tmp_path: Path) -> None:
    files = read(
        tmp_path,
        'train_net: "train" test_net: "test" test_net_param { name: "inline" '
        'input: "x" input_shape { dim: 1 } } '
        "test_iter: 1 test_iter: 1 test_interval: 1",
        train=NET,
        test=NET.replace('"n"', '"t"'),
    )
    assert [net.net.name for net, _ in files.tests] == ["inline", "t"]


def test_a_net_inside_the_solver(tmp_path: Path) -> None:
    assert read(tmp_path, f"net_param {{ {NET} }}").train.net.name == "n"


def test_the_working_directory_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here = tmp_path / "here"
    here.mkdir()
    (here / "net").write_text(NET.replace('"n"', '"here"'))
    monkeypatch.chdir(here)
    assert read(tmp_path, 'net: "net"', net=NET).train.net.name == "here"
    beside = SolverFiles.read(tmp_path / "solver.prototxt", beside=True)
    assert beside.train.net.name == "n"


@pytest.mark.parametrize(
    ("solver", "error", "message"),
    [
        ("", NetworkError, "expected one of net, net_param, train_net, .* got none of them"),
        ('net: "net" train_net: "net"', NetworkError, "got net and train_net$"),
        ('net: "absent"', UsageError, "no net 'absent' in"),
        (
            'train_net: "net" test_iter: 1',
            NetworkError,
            r"0 test net\(s\), but 1 test_iter; .* only if it is given as net",
        ),
        (
            'net: "net" test_iter: 1',
            NetworkError,
            "need a test_interval above 0; without test_iter",
        ),
        (
            'net: "net" test_iter: 1 test_interval: 1 test_state { } test_state { }',
            NetworkError,
            r"2 test_state for 1 test net",
        ),
        ('net: "net" type: "Adm"', NetworkError, "did you mean 'Adam'"),
    ],
)
def test_mistakes(tmp_path: Path, solver: str, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        read(tmp_path, solver, net=NET)


def test_no_iterations(tmp_path: Path) -> None:
    (tmp_path / "net").write_text(NET)
    path = tmp_path / "s"
    path.write_text('net: "net" base_lr: 1 lr_policy: "fixed"')
    with pytest.raises(NetworkError, match="max_iter must be at least 1"):
        SolverFiles.read(path)
