"""Nets in onnxruntime beside the same nets here."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnxruntime

from protonet.device import Device
from protonet.formats.caffemodel import read_weights
from protonet.graph.net import Net
from protonet.graph.planning import plan_net
from protonet.onnx.export import Exported, export_net
from protonet.proto.caffe_pb2 import TEST
from protonet.proto.text import NetDefinition, Source, read_net

Arrays = Mapping[str, np.ndarray]


def definition(text: str) -> NetDefinition:
    return read_net(Source("net.prototxt", text))


def ask(exported: Exported, given: Arrays) -> dict[str, np.ndarray]:
    """What onnxruntime computes; its options are quiet and use one thread."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level, options.intra_op_num_threads = 3, 1
    session = onnxruntime.InferenceSession(
        exported.model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    names = [output.name for output in session.get_outputs()]
    wanted = {each.name for each in session.get_inputs()}
    found = session.run(names, {name: given[name] for name in wanted})
    return dict(zip(names, found, strict=True))


def ours(net: NetDefinition, given: Arrays, weights: Path | None) -> dict[str, np.ndarray]:
    """What protonet computes of the same values, whatever their batch."""
    built = Net(plan_net(net, phase=TEST, stages=["deploy"]), Device())
    if weights is not None:
        built.load(read_weights(weights), str(weights))
    built.reshape({value.name: given[value.name].shape for value in built.plan.inputs})
    for value in built.plan.inputs:
        built.blobs[value.name].data[...] = given[value.name]
    built.forward()
    return {name: values for name, values, _ in built.outputs()}


def hold(net: NetDefinition, given: Arrays, weights: Path | None = None) -> Exported:
    """Check that the exported net computes what ours does; returns it."""
    exported = export_net(net, weights)
    expected, found = ours(net, given, weights), ask(exported, given)
    assert found.keys() == expected.keys()
    for name, values in expected.items():
        assert found[name].shape == values.shape, name
        scale = float(np.abs(values).max()) if values.size else 0.0
        np.testing.assert_allclose(found[name], values, rtol=1e-4, atol=1e-6 * scale, err_msg=name)
    return exported


def layer(text: str, *shapes: tuple[int, ...], tops: int = 1) -> NetDefinition:
    """A net of inputs x0, x1, ... and one layer over them, whose tops are y0, y1, ..."""
    inputs = "".join(
        f'layer {{ name: "x{i}" type: "Input" top: "x{i}" input_param {{ shape {{ '
        + " ".join(f"dim: {extent}" for extent in shape)
        + " } } }\n"
        for i, shape in enumerate(shapes)
    )
    bottoms = " ".join(f'bottom: "x{i}"' for i in range(len(shapes)))
    made = " ".join(f'top: "y{i}"' for i in range(tops))
    return definition(f'{inputs}layer {{ name: "l" {bottoms} {made} {text} }}')


def values(net: NetDefinition, seed: int = 7) -> dict[str, np.ndarray]:
    """Normal values for every input."""
    random = np.random.default_rng(seed)
    return {
        each.top[0]: random.normal(size=tuple(each.input_param.shape[0].dim)).astype(np.float32)
        for each in net.net.layer
        if each.type == "Input"
    }
