"""The deploy net of a definition: phase TEST, stage "deploy"."""

from __future__ import annotations

from pathlib import Path

from protonet.blob import Shape
from protonet.device import Device
from protonet.errors import UsageError
from protonet.formats.caffemodel import Weights
from protonet.formats.kind import is_torch7
from protonet.graph.net import Net
from protonet.graph.plan import Plan
from protonet.jobs.definitions.network import make_deploy
from protonet.jobs.reading.data_shapes import DataShapes
from protonet.jobs.reading.network import read_definition
from protonet.precision import type_of
from protonet.proto import rules
from protonet.proto.caffe_pb2 import TEST, LayerParameter
from protonet.proto.language import is_lua
from protonet.proto.text import NetDefinition, Source, read_net, write_text
from protonet.torch7.conversion import layer_weights

STAGES = ("deploy",)
_BATCH = 2
"""Of the translation: with one item, Torch7's View would take the batch for a part of it."""


def read_deploy(path: Path, shape: Shape | None = None) -> Source:
    """The text of a deploy net; of a Lua definition, its translation.

    ``shape`` are channels, height and width of the images of a Lua definition; None for what it
    tells.

    Raises:
        NetworkError: for mistakes in a Lua definition.
        UsageError: for a file that cannot be read, or a shape that is not needed, or needed.
    """
    source = Source.read(path)
    if not is_lua(source.text):
        if shape is not None:
            raise UsageError(
                f"{path}: has the shape of its input; --input-shape is for .t7 files and Lua"
            )
        return source
    inputs = {} if shape is None else {"data": (_BATCH, *shape)}
    definition = read_definition(source, DataShapes(inputs=inputs))
    _, channels, height, width = definition.net.layer[0].input_param.shape[0].dim
    deploy = make_deploy(definition, (channels, height, width))
    return Source(source.name, write_text(deploy.definition.net))


def deploy_weights(path: Path, weights: Path, source: Source) -> Path | Weights:
    """The weights of a deploy net ``source`` that was read from ``path``: a file, or what a .t7
    file has for it. One vector of all weights needs a Lua definition, which has their order.

    Raises:
        UsageError, FormatError, NetworkError: for a file that cannot be read or does not fit.
    """
    if not weights.is_file() or not is_torch7(weights):
        return weights
    _, layer = deploy_net(source)
    shape = tuple(layer.input_param.shape[0].dim)[1:]
    text = Source.read(path)
    if is_lua(text.text):
        told = DataShapes(inputs={"data": (_BATCH, *shape)}, weights=(str(weights),))
        definition = read_definition(text, told)
        if definition.taken and definition.weights is not None:
            return definition.weights()
    return layer_weights(weights, shape)


def deploy_net(source: Source) -> tuple[NetDefinition, LayerParameter]:
    """The net of a definition in phase TEST, stage "deploy", and the layer of its one input.

    Raises:
        NetworkError: for mistakes in the definition.
        UsageError: for a net without exactly one input of four axes.
    """
    definition = rules.in_state(read_net(source), TEST, stages=STAGES)
    inputs = [layer for layer in definition.net.layer if layer.type == "Input"]
    names = [top for layer in inputs for top in layer.top]
    if len(names) != 1:
        found = f"has the inputs {', '.join(names)}" if names else "has no input"
        raise UsageError(
            f"{source.name}: {found}; prediction on images needs exactly one, as a deploy.prototxt "
            "has"
        )
    shape = list(inputs[0].input_param.shape[0].dim) if inputs[0].input_param.shape else []
    if len(shape) != 4:
        raise UsageError(
            f"{source.name}: input '{names[0]}' has {len(shape)} axes; images need four: batch, "
            "channels, height, width"
        )
    return definition, inputs[0]


def fast_net(plan: Plan, device: Device, precision: str, *, fuse: bool) -> Net:
    """A net without gradients whose blobs share memory, of a type of ``PRECISIONS`` where 16 bits
    suffice; its parameters are changed by ``load`` only.
    """
    return Net(
        plan,
        device,
        gradients=False,
        packed=True,
        fuse=fuse,
        precision=type_of(precision),
        keep_weights=True,
    )
