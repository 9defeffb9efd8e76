"""What reads each kind of input: only the errors of ``protonet.errors`` may come out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from protonet.data.database import Database
from protonet.data.datum import decode, decode_image
from protonet.data.transform import load_mean
from protonet.data.wire import parse_datum
from protonet.device import Device
from protonet.formats.caffemodel import read_weights
from protonet.graph.estimate import estimate
from protonet.graph.net import Net
from protonet.graph.planning import plan_net
from protonet.layers.base import LayerContext
from protonet.proto.caffe_pb2 import TEST, TRAIN, Datum, SolverParameter
from protonet.proto.text import Source, read_net
from protonet.torch7 import serial
from protonet.train.snapshot import Snapshots
from protonet.train.trainer import Trainer
from tests.fuzz import seeds

_RUN = 2**21
"""Bytes: larger nets are planned and estimated, not run."""

TRAINED = seeds.NET + (
    'layer { name: "loss" type: "Reduction" bottom: "norm" top: "loss" loss_weight: 1 }\n'
)


@dataclass(frozen=True)
class Target:
    """How inputs of a kind are made and read."""

    seeds: Callable[[Path], Sequence[bytes]]
    read: Callable[[bytes, Path], None]
    text: bool = False


def read_text(data: bytes, folder: Path) -> None:
    """Read, plan and estimate a net; run it where it is small."""
    path = folder / "net.prototxt"
    path.write_bytes(data)
    source = Source.read(str(path))
    context = LayerContext(folder, python_layers=False)
    for phase in (TRAIN, TEST):
        plan = plan_net(read_net(source), phase=phase, context=context)
        try:
            if estimate(plan, gradients=phase == TRAIN).total < _RUN:
                with np.errstate(all="ignore"):
                    Net(plan, Device(), packed=True).forward()
        finally:
            plan.close()


def read_model(data: bytes, folder: Path) -> None:
    """Read weights, and load them into their net."""
    path = folder / "net.caffemodel"
    path.write_bytes(data)
    weights = read_weights(path)
    Net(plan_net(read_net(Source("net", seeds.NET)), phase=TEST), Device()).load(weights, str(path))


def _restore(folder: Path) -> None:
    plan = plan_net(read_net(Source("net", TRAINED)), phase=TRAIN)
    solver = SolverParameter(base_lr=0.01, lr_policy="fixed", max_iter=9, type="SGD", momentum=0.9)
    net = Net(plan, Device())
    trainer = Trainer(solver, net, [], Snapshots(folder / "small"), [], 1)
    trainer.restore(folder / "small_iter_7.solverstate")


def read_state(data: bytes, folder: Path) -> None:
    """Go on with a training from this state."""
    (folder / "small_iter_7.caffemodel").write_bytes(seeds.models()[0])
    (folder / "small_iter_7.resume.json").unlink(missing_ok=True)
    (folder / "small_iter_7.solverstate").write_bytes(data)
    _restore(folder)


def read_resume(data: bytes, folder: Path) -> None:
    """Go on with a training from a sound state with this beside it."""
    (folder / "small_iter_7.caffemodel").write_bytes(seeds.models()[0])
    (folder / "small_iter_7.solverstate").write_bytes(seeds.states()[0])
    (folder / "small_iter_7.resume.json").write_bytes(data)
    _restore(folder)


def read_record(data: bytes, _: Path) -> None:
    """Decode a record by both parsers."""
    try:
        datum = Datum.FromString(data)
        parsed, values = parse_datum(memoryview(data))
    except Exception as error:
        if type(error).__name__ != "DecodeError":  # the database tells these with the key
            raise
        return
    decode(datum, "record")
    decode(parsed, "record", data=values, color=True)


def read_database(data: bytes, folder: Path) -> None:
    """Read all records of a database."""
    (folder / "data.mdb").write_bytes(data)
    with Database(folder) as database:
        keys = database.keys()
        for key in keys:
            database.image(key)


def read_mean(data: bytes, folder: Path) -> None:
    """Read a mean image."""
    path = folder / ("mean.npy" if data[:1] == b"n" else "mean.binaryproto")
    path.write_bytes(data[1:])
    load_mean(path)


def read_image(data: bytes, _: Path) -> None:
    """Decode an image."""
    decode_image(data, "image")
    decode_image(data, "image", color=False)


def read_torch(data: bytes, _: Path) -> None:
    """Read a file of Torch7; what can be read can be written, and is the same again."""
    for functions in (True, False):
        value = serial.read(data, functions)
        again = serial.write(value)
        assert serial.write(serial.read(again, functions)) == again


TARGETS = {
    "prototxt": Target(lambda _: seeds.texts(), read_text, text=True),
    "caffemodel": Target(lambda _: seeds.models(), read_model),
    "solverstate": Target(lambda _: seeds.states(), read_state),
    "resume": Target(lambda _: seeds.resumes(), read_resume, text=True),
    "datum": Target(lambda _: seeds.records(), read_record),
    "lmdb": Target(seeds.databases, read_database),
    "mean": Target(lambda _: seeds.means(), read_mean),
    "image": Target(lambda _: seeds.images(), read_image),
    "t7": Target(lambda _: seeds.torch_files(), read_torch),
}
