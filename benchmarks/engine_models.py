"""The files that the engines read: one network with its weights, in the format of each."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from google.protobuf import text_format

from cases import Case
from protonet.formats.caffemodel import read_weights, write_weights
from protonet.onnx.export import export_net, write_model
from protonet.proto import rules
from protonet.proto.caffe_pb2 import TEST
from protonet_side import write_weights as write_arrays

BATCHES = (1, 16)

FILES = {
    "protonet": "deploy-{batch}.prototxt",
    "onnxruntime": "net.onnx",
    "openvino": "net.onnx",
    "opencv": "deploy-{batch}.prototxt",
    "mnn": "net.mnn",
    "ncnn": "net.ncnn.param",
}
"""What each engine opens. The weights of a prototxt are ``net.caffemodel``."""


def model_file(folder: Path, case: Case, engine: str, batch: int) -> Path:
    """The file of a network that an engine opens."""
    return folder / case.name / FILES[engine].format(batch=batch)


def inputs_file(folder: Path, case: Case, batch: int) -> Path:
    """The inputs of a network at a batch, the same for all engines."""
    return folder / case.name / f"inputs-{batch}.npy"


def make_models(folder: Path, case: Case, engines: Sequence[str]) -> dict[str, str]:
    """Write the files that are not there; returns why those of an engine could not be made."""
    place = folder / case.name
    place.mkdir(parents=True, exist_ok=True)
    for batch in BATCHES:
        _write_text(place, case, batch)
    if not (place / "net.caffemodel").exists():
        _write_caffemodel(place, case)
    if not (place / "net.onnx").exists():
        weights = read_weights(place / "net.caffemodel")
        write_model(export_net(case.definition(1, deploy=True), weights).model, place / "net.onnx")
    failed = {}
    for engine in engines:
        if engine not in _CONVERTERS or model_file(folder, case, engine, 1).exists():
            continue
        command = [part.format(shape=_shape(case)) for part in _CONVERTERS[engine]]
        if (reason := _converted(place, command)) is not None:
            failed[engine] = reason
        for left in (*place.glob("net.pnnx*"), *place.glob("net_*.py")):
            left.unlink()  # what pnnx writes besides
    return failed


def _write_text(place: Path, case: Case, batch: int) -> None:
    """deploy-BATCH.prototxt, all layers of which run, and its inputs."""
    definition = rules.in_state(case.definition(batch, deploy=True), TEST, stages=["deploy"])
    for layer in definition.net.layer:
        layer.ClearField("include")
        layer.ClearField("exclude")
    text = text_format.MessageToString(definition.net)
    (place / f"deploy-{batch}.prototxt").write_text(text)
    np.save(place / f"inputs-{batch}.npy", case.inputs(case.inference(batch))["data"])


def _write_caffemodel(place: Path, case: Case) -> None:
    arrays = place / "weights.npz"
    write_arrays(case, arrays)
    weights: dict[str, list[np.ndarray]] = {}
    with np.load(arrays) as found:
        for name in sorted(found.files):
            weights.setdefault(name.rsplit("/", 1)[0], []).append(found[name])
    arrays.unlink()
    write_weights(place / "net.caffemodel", weights)


def _converted(place: Path, command: Sequence[str]) -> str | None:
    """Run a converter of the environment of this Python; returns why it failed."""
    with (place / "converted.log").open("a") as log:
        try:
            done = subprocess.run(command, cwd=place, stdout=log, stderr=log)
        except OSError as error:
            return str(error)
    return f"its converter ended with {done.returncode}" if done.returncode else None


def _shape(case: Case) -> str:
    """Of one image: ncnn has no batches."""
    return ",".join(map(str, (1, *case.image)))


_MNN_CONVERTER = "import sys, _tools; _tools.mnnconvert(sys.argv)"
"""What ``mnnconvert`` runs, which besides installs packages and sends off what it was given."""

_CONVERTERS = {
    "mnn": [
        *(sys.executable, "-c", _MNN_CONVERTER, "-f", "CAFFE", "--modelFile", "net.caffemodel"),
        *("--prototxt", "deploy-1.prototxt", "--MNNModel", "net.mnn", "--bizCode", "protonet"),
    ],
    "ncnn": [
        *(str(Path(sys.executable).with_name("pnnx")), "net.onnx"),
        *("inputshape=[{shape}]", "fp16=0"),
    ],
}
