"""What inference needs of a training: the deploy net, and the preprocessing of images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from protonet.graph.planning import plan_net
from protonet.jobs.definitions.inputs import ImageLayer
from protonet.jobs.definitions.network import Deploy, make_deploy, plain_transform
from protonet.jobs.run.directory import RunDirectory
from protonet.jobs.run.mean import copy_mean
from protonet.layers.base import LayerContext
from protonet.proto.caffe_pb2 import TEST, TransformationParameter
from protonet.proto.text import NetDefinition, write_text


def derive_deploy(definition: NetDefinition, images: ImageLayer, context: LayerContext) -> Deploy:
    """The deploy net, for one image as the layer ``images`` outputs it.

    Raises:
        NetworkError: when no layer remains, or the remaining net cannot be built.
    """
    deploy = make_deploy(definition, images.transformer.output_shape)
    plan_net(deploy.definition, phase=TEST, stages=["deploy"], context=context).close()
    return deploy


def store_transform(run: RunDirectory, images: ImageLayer) -> dict[str, Any]:
    """The preprocessing of training without its augmentation, for run.json.

    The mean is copied into the run.
    """
    transform = TransformationParameter()
    transform.CopyFrom(images.spec.transform_param)
    plain_transform(transform)
    if transform.mean_file:
        found = images.context.find(transform.mean_file)
        if found.resolve() != run.mean.resolve():
            copy_mean(found, run.mean)
        transform.mean_file = run.mean.name
    return {"transform": write_text(transform), "image_shape": images.transformer.shape}


def pruned_note(pruned: Sequence[str]) -> list[str]:
    """A note on layers that are not in the deploy net."""
    if not pruned:
        return []
    names = ", ".join(f'"{name}"' for name in pruned)
    return [f"not in deploy.prototxt, because they need labels: {names}"]
