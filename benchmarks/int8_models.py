"""The files of networks in 8-bit integers: protonet's, and onnxruntime's in QDQ form, calibrated
with the same inputs.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from cases import Case
from machine import has_vnni
from protonet.device import Device
from protonet.formats.caffemodel import open_weights, read_model, write_model
from protonet.graph.int8 import int8_params, measured_values
from protonet.graph.net import Net
from protonet.jobs.quantization.calibration import calibrate
from protonet.jobs.quantization.quantize import put_params
from protonet.jobs.quantization.ranges import RangeChoice
from protonet.jobs.quantization.records import Block

WEIGHTS, MODEL = "net-int8.caffemodel", "net-int8.onnx"
_BATCH = 16
_BATCHES = 2
_CHOICE = RangeChoice("minmax")
"""Of both sides: onnxruntime's default."""


def make_int8(folder: Path, case: Case) -> dict[str, str]:
    """Write the files that are not there; returns why those of a side could not be made."""
    place = folder / case.name
    if not (place / WEIGHTS).exists():
        _write_weights(place, case)
    if (place / MODEL).exists():
        return {}
    try:
        _write_model(place, case)
    except ImportError as error:
        return {"onnxruntime": str(error)}
    return {}


def _inputs(case: Case) -> Iterator[np.ndarray]:
    """Batches to calibrate with."""
    plan = case.inference(_BATCH)
    for number in range(_BATCHES):
        yield case.inputs(plan, rank=100 + number)["data"]


class _Inputs:
    """They, as the records of a calibration."""

    length: int | None = _BATCH * _BATCHES

    def __init__(self, case: Case) -> None:
        self._batches = list(_inputs(case))

    def put(self, net: Net, block: Block) -> None:
        """Fill the input."""
        net.device.put(self._batches[block.first // _BATCH], net.inputs["data"].data)

    def close(self) -> None:
        """Nothing is open."""


def _write_weights(place: Path, case: Case) -> None:
    plan, weights = case.inference(_BATCH), place / "net.caffemodel"
    wanted = measured_values(plan)
    net = Net(plan.keeping(wanted), Device(), gradients=False, packed=True, keep_weights=True)
    net.load(open_weights(weights), str(weights))
    blocks = [Block(number * _BATCH, _BATCH) for number in range(_BATCHES)]
    found = calibrate(net, wanted, _Inputs(case), blocks)
    chosen = {value: _CHOICE.of(histogram) for value, histogram in found.items()}
    params = int8_params(plan, {value: (each.low, each.high) for value, each in chosen.items()})
    message = read_model(weights)
    put_params(message, params, plan.steps)
    write_model(place / WEIGHTS, message)


def _write_model(place: Path, case: Case) -> None:
    from onnxruntime.quantization import (
        CalibrationDataReader,
        CalibrationMethod,
        QuantFormat,
        QuantType,
        quantize_static,
    )
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Reader(CalibrationDataReader):
        """Hands out the batches."""

        def __init__(self) -> None:
            self._left = _inputs(case)

        def get_next(self) -> dict[str, np.ndarray] | None:
            """The next one."""
            batch = next(self._left, None)
            return None if batch is None else {"data": batch}

    prepared = place / "prepared.onnx"
    # as its documentation advises: shapes, and layers folded into others
    quant_pre_process(str(place / "net.onnx"), str(prepared), skip_symbolic_shape=True)
    quantize_static(
        str(prepared),
        str(place / MODEL),
        Reader(),
        quant_format=QuantFormat.QDQ,
        per_channel=True,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        calibrate_method=CalibrationMethod.MinMax,
        # as it advises where sums of two products saturate: weights of 7 bits
        reduce_range=not has_vnni(),
        nodes_to_exclude=_softmaxes(prepared),
    )
    prepared.unlink()


def _softmaxes(model: Path) -> list[str]:
    """The nodes that stay in float32, as protonet's do: codes of shares among 1000 classes would
    be those of 0 and of one class.
    """
    import onnx

    graph = onnx.load(model).graph
    return [node.name for node in graph.node if node.op_type in ("Softmax", "LogSoftmax")]
