"""A solver and its nets, parsed and ready to plan."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from protonet.errors import NetworkError, UsageError
from protonet.graph.reading import read_prototxt
from protonet.proto.caffe_pb2 import NetParameter, NetState, SolverParameter
from protonet.proto.text import NetDefinition, Source, read_solver, write_text
from protonet.solvers.check import check_solver

State = dict[str, Any]
"""``level`` and ``stages`` for ``plan_net``."""


@dataclass(frozen=True)
class SolverFiles:
    """The solver, its train net and its test nets with their states.

    Relative paths are looked up in the working directory, then in ``folder``. ``test_iter`` of the
    solver has one value for each of ``tests``.
    """

    solver: SolverParameter
    train: NetDefinition
    tests: tuple[tuple[NetDefinition, State], ...]
    folder: Path

    @staticmethod
    def read(path: Path, *, beside: bool = False) -> SolverFiles:
        """Read a solver file and its nets: from the working directory, as Caffe does, else from the
        folder of the solver; with ``beside`` in the reverse order.

        Raises:
            UsageError: for a file that does not exist.
            NetworkError: for mistakes in any of the files, or inconsistent test settings.
        """
        source = Source.read(path)
        solver = read_solver(source)
        check_solver(solver, source)
        folders = (path.parent, Path()) if beside else (Path(), path.parent)
        train = _train_net(solver, folders, path)
        tests = _test_nets(solver, folders, train, path)
        _check_tests(solver, tests, path)
        return SolverFiles(
            solver,
            train,
            tuple(
                (net, _state(net, solver.test_state[i] if i < len(solver.test_state) else None))
                for i, net in enumerate(tests)
            ),
            path.parent,
        )

    @staticmethod
    def of(solver: SolverParameter, train_val: NetDefinition, folder: Path) -> SolverFiles:
        """A solver with one net for training and testing, as in a run directory."""
        tests = [(train_val, _state(train_val, state)) for state in solver.test_state]
        return SolverFiles(solver, train_val, tuple(tests), folder)

    @property
    def train_state(self) -> State:
        """Level and stages of the train net."""
        return _state(self.train, self.solver.train_state)


def _state(net: NetDefinition, given: NetState | None) -> State:
    """Levels and stages: the net's own, then the solver's on top; stages add up."""
    own = net.net.state
    stages = [*own.stage, *(given.stage if given is not None else [])]
    level = given.level if given is not None and given.HasField("level") else own.level
    return {"level": level, "stages": stages}


def _inline(net: NetParameter, path: Path) -> NetDefinition:
    """A net written inside the solver file."""
    return read_prototxt(Source(f"{path} (net_param)", write_text(net)))


def _file(name: str, folders: Sequence[Path], path: Path) -> NetDefinition:
    for folder in folders:
        if (folder / name).exists():
            return read_prototxt(Source.read(folder / name))
    searched = " or ".join(str(folder.resolve()) for folder in folders)
    raise UsageError(f"{path}: no net '{name}' in {searched}")


def _train_net(solver: SolverParameter, folders: Sequence[Path], path: Path) -> NetDefinition:
    fields = ("net", "net_param", "train_net", "train_net_param")
    named = [name for name in fields if solver.HasField(name)]
    if len(named) != 1:
        raise NetworkError(
            f"{path}: expected one of {', '.join(fields)}, got "
            f"{' and '.join(named) if named else 'none of them'}"
        )
    if named[0].endswith("_param"):
        return _inline(getattr(solver, named[0]), path)
    return _file(getattr(solver, named[0]), folders, path)


def _test_nets(
    solver: SolverParameter, folders: Sequence[Path], train: NetDefinition, path: Path
) -> list[NetDefinition]:
    """The test nets in Caffe's order: test_net_param, test_net, then net or net_param for each
    remaining test_iter.
    """
    nets = [_inline(net, path) for net in solver.test_net_param]
    nets += [_file(name, folders, path) for name in solver.test_net]
    if solver.HasField("net") or solver.HasField("net_param"):
        nets += [train] * max(0, len(solver.test_iter) - len(nets))
    return nets


def _check_tests(solver: SolverParameter, tests: list[NetDefinition], path: Path) -> None:
    if len(tests) != len(solver.test_iter):
        raise NetworkError(
            f"{path}: {len(tests)} test net(s), but {len(solver.test_iter)} test_iter; "
            "each test net needs one; the train net is also tested only if it is given as "
            "net, not as train_net"
        )
    if solver.test_state and len(solver.test_state) != len(tests):
        raise NetworkError(
            f"{path}: {len(solver.test_state)} test_state for {len(tests)} test net(s); "
            "give one for each, or none"
        )
    if tests and not solver.test_interval:
        raise NetworkError(
            f"{path}: test nets need a test_interval above 0; without test_iter there is no test"
        )
    if solver.max_iter < 1 and not (tests and solver.HasField("max_iter") and not solver.max_iter):
        raise NetworkError(
            f"{path}: max_iter must be at least 1 (or 0, for a solver that only tests)"
        )
