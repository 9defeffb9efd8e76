"""Post-training quantization: calibrate a net, choose ranges, compare, and write one file."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from protonet.errors import FormatError, NetworkError, UsageError
from protonet.formats.atomic import atomic_path
from protonet.formats.caffemodel import read_model, write_model
from protonet.formats.kind import is_hdf5
from protonet.graph.int8 import (
    computes_in_integers,
    int8_params,
    integer_layers,
    measured_values,
)
from protonet.graph.names import Value
from protonet.graph.net import Net
from protonet.graph.plan import Step
from protonet.jobs.quantization.calibration import calibrate
from protonet.jobs.quantization.comparison import Comparison, compare
from protonet.jobs.quantization.ranges import BlobRange, RangeChoice, decibels
from protonet.jobs.quantization.records import Sampling
from protonet.jobs.quantization.subject import Subject
from protonet.kernels.int8 import quantized_weights
from protonet.proto.caffe_pb2 import Int8Parameter, NetParameter

_WEIGHTED = ("Convolution", "InnerProduct")
Watch = Callable[[int, int], None]
Stage = Callable[[str], Watch]
"""The progress of a stage of the work, by what it counts."""


@dataclass(frozen=True, kw_only=True)
class Counts:
    """How many records are used at most: to calibrate, and to compare; 0 of the latter for no
    comparison.
    """

    calibrated: int = 500
    compared: int = 1000


@dataclass(frozen=True)
class QuantizedLayer:
    """A layer that computes in 8 bits: what it reads, and the ratio of its weights to their errors
    in decibels.
    """

    name: str
    type: str
    bottom: BlobRange
    weights: float


@dataclass(frozen=True)
class Quantized:
    """What was done: layers, how many records were used, and how answers differ; None if that was
    not asked for, or the device does not compute in 8 bits.
    """

    layers: tuple[QuantizedLayer, ...]
    others: tuple[str, ...]
    """Names of other layers with weights, which stay in float32."""
    records: int
    disjoint: bool
    comparison: Comparison | None


def quantize(
    subject: Subject,
    out: Path,
    choice: RangeChoice,
    counts: Counts,
    stage: Stage = lambda _: lambda __, ___: None,
) -> Quantized:
    """Write the weights of a net in float32 with the ranges of its blobs to a .caffemodel, which
    appears complete or not at all.

    Raises:
        UsageError: for another ending of ``out``.
        NetworkError: for a net without layers that compute in 8 bits.
        DataError, FormatError: for records or weights that cannot be used.
    """
    if out.suffix != ".caffemodel":
        raise UsageError(f"{out}: expected a name that ends in .caffemodel, which holds the ranges")
    wanted = _wanted(subject)
    sizes = subject.records.length, subject.batch
    sampling = Sampling.of(*sizes, counts.calibrated, counts.compared)
    exact = subject.net(wanted)
    try:
        _check_weights(exact, subject.weights)
        comparison = None
        with atomic_path(out) as partial:  # refused before the work, where it cannot be written
            how = sampling.calibrated, stage("records for calibration")
            histograms = calibrate(exact, wanted, subject.records, *how)
            ranges = {value: choice.of(histogram) for value, histogram in histograms.items()}
            _write(partial, exact, subject.weights, ranges)
            if counts.compared and computes_in_integers(subject.device):
                comparison = _compared(subject, partial, sampling, stage("records compared"))
        return Quantized(
            tuple(_layers(exact, ranges)),
            tuple(_others(exact)),
            sum(block.count for block in sampling.calibrated),
            sampling.disjoint,
            comparison,
        )
    finally:
        exact.close()


def _wanted(subject: Subject) -> tuple[Value, ...]:
    """The values to measure."""
    plan = subject.planned()
    plan.close()
    wanted, able = measured_values(plan), set(integer_layers(plan))
    if not any(step.type in _WEIGHTED and step.name in able for step in plan.steps):
        raise NetworkError(
            f"{plan.definition.source.name}: no layer of it can compute in 8 bits; "
            "Convolution and InnerProduct can"
        )
    return wanted


def _check_weights(net: Net, weights: Path) -> None:
    """Refuse values that have no codes, and outputs that say nothing."""
    for layer in net.layers:
        for place, blob in enumerate(layer.params):
            w = np.asarray(net.device.get(blob.data))
            if w.size and not (np.isfinite(w.min()) and np.isfinite(w.max())):
                raise FormatError(
                    f"{weights}: parameter {place} of layer '{layer.name}' ({layer.spec.type}) has "
                    "values that are not finite; codes need finite ones. Take a snapshot from "
                    "before training diverged"
                )


def _compared(subject: Subject, path: Path, sampling: Sampling, watch: Watch) -> Comparison:
    """The net in float32 beside that of the new file."""
    exact = subject.net()
    try:
        quantized = subject.net(quantized=path)
        try:
            return compare(exact, quantized, subject.records, sampling.compared, watch)
        finally:
            quantized.close()
    finally:
        exact.close()


def _write(path: Path, net: Net, weights: Path, ranges: Mapping[Value, BlobRange]) -> None:
    """The net of the file of weights, else this one, with an ``int8_param`` in its layers."""
    params = int8_params(net.plan, {value: (each.low, each.high) for value, each in ranges.items()})
    binary = weights.suffix == ".caffemodel" and not is_hdf5(weights)
    message = read_model(weights) if binary else net.message()
    put_params(message, params, net.plan.steps)
    write_model(path, message)


def put_params(
    message: NetParameter, params: Mapping[str, Int8Parameter], steps: Sequence[Step]
) -> None:
    """Set the ``int8_param`` of layers by name, and add those layers that the message lacks."""
    known = {layer.name for layer in message.layer}
    for layer in message.layer:
        layer.ClearField("int8_param")
        if layer.name in params:
            layer.int8_param.CopyFrom(params[layer.name])
    for step in steps:
        if step.name in params and step.name not in known:
            spec = step.layer.spec
            added = message.layer.add(
                name=spec.name, type=spec.type, bottom=spec.bottom, top=spec.top
            )
            added.int8_param.CopyFrom(params[step.name])


def _layers(net: Net, ranges: Mapping[Value, BlobRange]) -> list[QuantizedLayer]:
    """What happens to each layer that computes in 8 bits and has weights."""
    able = set(integer_layers(net.plan))
    found = []
    for step, layer in zip(net.plan.steps, net.layers, strict=True):
        if step.name in able and step.type in _WEIGHTED and step.bottoms[0] in ranges:
            w = np.asarray(net.device.get(layer.params[0].data))
            snr = _weights_snr(w)
            found.append(QuantizedLayer(step.name, step.type, ranges[step.bottoms[0]], snr))
    return found


def _weights_snr(w: np.ndarray) -> float:
    """The ratio of weights to the errors of their codes."""
    codes, scales = quantized_weights(w, w.shape[1])
    flat = w.reshape(len(w), -1).astype(np.float64)
    noise = flat - codes.reshape(flat.shape) * scales[:, None].astype(np.float64)
    return decibels(float(np.sum(flat**2)), float(np.sum(noise**2)))


def _others(net: Net) -> list[str]:
    """Layers with weights of their own that stay in float32, and are not folded into others."""
    able = set(integer_layers(net.plan))
    return [
        step.name
        for step in net.plan.steps
        if step.params and step.absorbed_by is None and step.name not in able
    ]
