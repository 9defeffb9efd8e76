"""Snapshots on disk: weights, solver state, and the resume state that Caffe's files lack."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from protonet.errors import FormatError, UsageError
from protonet.formats.atomic import write_atomic
from protonet.formats.caffemodel import Weights, write_hdf5, write_model
from protonet.formats.hdf5 import h5py_module
from protonet.formats.json_text import parse_json
from protonet.formats.kind import SIZE_LIMIT
from protonet.formats.solverstate import SolverHistory, write_state
from protonet.graph.net import Net
from protonet.proto.caffe_pb2 import NetParameter
from protonet.proto.paths import without_folders


@dataclass(frozen=True)
class Snapshots:
    """The snapshots under one ``snapshot_prefix``.

    ``<prefix>_iter_N.caffemodel`` and ``.solverstate`` are Caffe's (with ``.h5`` behind them for
    ``hdf5``); ``<prefix>_iter_N.resume.json`` holds positions in the data and random state, and
    ``<prefix>_iter_N.average.caffemodel`` the averaged weights if there are any. The
    solverstate is written last: a snapshot without it is incomplete and ignored, so a kill at any
    moment leaves the previous one. With ``bare``, states name their weights without the folder;
    that of the state is searched first.
    """

    prefix: Path
    hdf5: bool = False
    bare: bool = False

    def for_size(self, size: int) -> Snapshots:
        """These snapshots, as HDF5 if files of ``size`` bytes exceed the limit of protobuf.

        Raises:
            UsageError: for HDF5 without h5py.
        """
        snapshots = replace(self, hdf5=self.hdf5 or size > SIZE_LIMIT)
        if snapshots.hdf5:
            h5py_module()
        return snapshots

    def check_folder(self) -> None:
        """Check that files can be created in the folder of the snapshots, or where it will be.

        Raises:
            UsageError: when they cannot: before the training instead of at its first snapshot.
        """
        folder = self.prefix.absolute().parent
        while not folder.exists():
            folder = folder.parent
        try:
            with tempfile.TemporaryFile(dir=folder):
                pass
        except OSError as error:
            raise UsageError(
                f"{self.prefix}: snapshots cannot be written there (snapshot_prefix): {folder}: "
                f"{error.strerror}"
            ) from error

    @property
    def _suffix(self) -> str:
        return ".h5" if self.hdf5 else ""

    def model(self, iteration: int) -> Path:
        """The file of weights of an iteration."""
        return self._path(iteration, f".caffemodel{self._suffix}")

    def learned_net(self, iteration: int) -> str:
        """How the state of an iteration names its weights."""
        model = self.model(iteration)
        return model.name if self.bare else str(model)

    def average(self, iteration: int) -> Path:
        """The file of averaged weights of an iteration; only trainings with averaging have it."""
        return self._path(iteration, f".average.caffemodel{self._suffix}")

    def best_model(self, iteration: int) -> Path:
        """The weights for inference: the averaged ones if there are any."""
        average = self.average(iteration)
        return average if average.exists() else self.model(iteration)

    def state(self, iteration: int) -> Path:
        """The file of solver state of an iteration."""
        return self._path(iteration, f".solverstate{self._suffix}")

    def _path(self, iteration: int, ending: str) -> Path:
        return self.prefix.with_name(f"{self.prefix.name}_iter_{iteration}{ending}")

    def complete(self) -> list[int]:
        """The iterations with complete snapshots, ascending."""
        pattern = re.compile(
            re.escape(self.prefix.name) + r"_iter_(\d+)\.solverstate" + re.escape(self._suffix)
        )
        if not self.prefix.parent.is_dir():
            return []
        names = {path.name for path in self.prefix.parent.iterdir()}  # there may be thousands
        matches = (pattern.fullmatch(name) for name in names)
        iterations = sorted(int(match[1]) for match in matches if match)
        return [each for each in iterations if self.model(each).name in names]

    def save(
        self,
        net: NetParameter | Weights,
        history: SolverHistory,
        resume: dict[str, Any],
        averaged: NetParameter | Weights | None = None,
    ) -> tuple[Path, Path]:
        """Write the files of one snapshot; return the paths of weights and state.

        The net may be given as weights for HDF5, beyond the size limit of a message.

        Raises:
            FormatError: when the disk is full or the folder cannot be written.
        """
        model, state = self.model(history.iteration), self.state(history.iteration)
        self.prefix.parent.mkdir(parents=True, exist_ok=True)
        _write(model, net)
        if averaged is not None:
            _write(self.average(history.iteration), averaged)
        write_atomic(resume_path(state), json.dumps(resume).encode())
        write_state(state, history)
        return model, state

    def files(self, iteration: int) -> list[Path]:
        """The existing files of a snapshot, the state first: without it the snapshot is ignored."""
        state = self.state(iteration)
        each = (state, resume_path(state), self.average(iteration), self.model(iteration))
        return [path for path in each if path.exists()]

    def remove(self, iteration: int) -> None:
        """Remove the files of a snapshot."""
        for path in self.files(iteration):
            path.unlink(missing_ok=True)


def _write(path: Path, net: NetParameter | Weights) -> None:
    if isinstance(net, NetParameter):
        write_model(path, without_folders(net))
    else:
        write_hdf5(path, net)


def largest_file(net: Net, slots: int) -> int:
    """An upper bound of the bytes of .caffemodel and .solverstate; ``slots`` are the rule's."""
    shape_bytes = 64  # of each blob, at most
    params = [param for layer in net.layers for param in layer.params]
    model = sum(param.data.nbytes + shape_bytes for param in params)
    history = sum(param.data.nbytes + shape_bytes for param in net.store.params)
    text = net.plan.definition.net.ByteSize()
    largest: int = max(model + text, slots * history)
    return largest


def resume_path(state: Path) -> Path:
    """The path of the resume file of a solverstate."""
    return state.with_name(
        state.name.removesuffix(".h5").removesuffix(".solverstate") + ".resume.json"
    )


def read_resume(state: Path) -> dict[str, Any] | None:
    """The resume state of a snapshot, or None for a state written by Caffe.

    Raises:
        FormatError: when the file exists but is damaged.
    """
    path = resume_path(state)
    if not path.exists():
        return None
    try:
        resume = parse_json(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise _damaged(path, str(error)) from error
    except OSError as error:
        raise FormatError(f"{path}: cannot be read: {error.strerror}") from error
    if not isinstance(resume, dict) or not {"net", "tests", "losses"} <= resume.keys():
        raise FormatError(f"{path}: is not a resume file of protonet")
    wrong = next(_wrong(resume), None)
    if wrong is not None:
        raise _damaged(path, f"{wrong} is invalid")
    return resume


@contextmanager
def resume_errors(state: Path) -> Iterator[None]:
    """Turn errors of restoring a state into a FormatError: the resume file is damaged."""
    try:
        yield
    except (LookupError, TypeError, ValueError, ArithmeticError, AttributeError) as error:
        raise _damaged(resume_path(state), f"{type(error).__name__}: {error}") from error


def weights_of(state: Path, learned_net: str) -> Path:
    """The file of weights that a state names: in the state's folder, or where it was written.

    Raises:
        FormatError: when it does not exist.
    """
    name = Path(learned_net).name
    for path in (state.parent / name, Path(learned_net)):
        try:
            if name and path.is_file():
                return path
        except (OSError, ValueError):  # not a file name
            break
    raise FormatError(f"{state}: its weights '{learned_net[:200]}' do not exist")


def _damaged(path: Path, reason: str) -> FormatError:
    return FormatError(
        f"{path}: damaged resume file ({reason}); delete it to resume from the weights alone"
    )


def _wrong(resume: Mapping[str, Any]) -> Iterator[str]:
    """The fields that a trainer cannot have written so."""
    tests = resume["tests"]
    nets = {"net": resume["net"]}
    if isinstance(tests, list):
        nets.update({f"tests[{place}]": net for place, net in enumerate(tests)})
    else:
        yield "tests"
    for name, net in nets.items():
        if not isinstance(net, dict) or not _is_count(net.get("passes")):
            yield f"{name}.passes"
        elif not isinstance(net.get("layers"), dict):
            yield f"{name}.layers"
        else:
            for layer, state in net["layers"].items():
                if not isinstance(state, dict) or not _is_count(state.get("position", 0)):
                    yield f"{name}.layers.{layer}"
    losses = resume["losses"]
    window = losses.get("window") if isinstance(losses, dict) else None
    if not isinstance(window, list) or not all(map(_is_number, window)):
        yield "losses"
    elif not _is_count(losses.get("next")) or losses["next"] > max(0, len(window) - 1):
        yield "losses.next"
    scale = resume.get("loss_scale", [1.0, 0.0])
    if not isinstance(scale, list) or len(scale) != 2 or not all(map(_is_number, scale)):
        yield "loss_scale"


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**62


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
