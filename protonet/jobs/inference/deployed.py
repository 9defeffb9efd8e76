"""The deploy net of a definition: phase TEST, stage "deploy"."""

from __future__ import annotations

from protonet.errors import UsageError
from protonet.proto import rules
from protonet.proto.caffe_pb2 import TEST, LayerParameter
from protonet.proto.text import NetDefinition, Source, read_net

STAGES = ("deploy",)


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
