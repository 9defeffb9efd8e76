"""The inputs of a network: databases or shapes from options, or its own data layers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from protonet.blob import Shape
from protonet.data.database import Database
from protonet.errors import UsageError, nearest
from protonet.graph.plan import Plan
from protonet.graph.planning import plan_net
from protonet.jobs.definitions.box_checks import check_boxes, check_classes
from protonet.jobs.definitions.boxes import BoxFiles, reads_boxes
from protonet.jobs.definitions.images import ImageOptions
from protonet.jobs.definitions.network import (
    DATA,
    Databases,
    image_positions,
    lacks_outputs,
    make_deploy,
    make_train_val,
)
from protonet.layers.annotated_data import AnnotatedData
from protonet.layers.inputs import Data
from protonet.proto.caffe_pb2 import TEST, TRAIN, LayerParameter
from protonet.proto.language import is_lua
from protonet.proto.text import NetDefinition

_BATCHES = {
    "AnnotatedData": "data_param",
    "Data": "data_param",
    "DenseImageData": "dense_image_data_param",
    "DetectionData": "detection_data_param",
    "EvalData": "eval_data_param",
    "ImageData": "image_data_param",
    "ImageGtData": "image_gt_data_param",
    "ImageLabelmapData": "image_data_param",
    "ImageSegData": "image_data_param",
    "VideoData": "video_data_param",
    "WindowData": "window_data_param",
    "WindowSegData": "image_data_param",
    "HDF5Data": "hdf5_data_param",
    "MemoryData": "memory_data_param",
}
"""The messages of layer types with a batch_size."""

ImageLayer = AnnotatedData | Data
"""Layers that read a database of images."""


@dataclass(frozen=True, kw_only=True)
class InputOptions:
    """Inputs of a network without data layers: databases, or shapes of blobs that no layer
    produces. ``batch_size`` and ``crop`` None mean the network's own.

    Raises:
        UsageError: for contradictory options.
    """

    data: Path | None = None
    labels: Path | None = None
    inputs: Mapping[str, Shape] | None = None
    batch_size: int | None = None
    crop: int | None = None

    def __post_init__(self) -> None:
        if self.data is None and self.labels is not None:
            raise UsageError("--labels needs --data, the LMDB of the images that they belong to")
        if self.data is not None and self.inputs:
            raise UsageError("--data and --input both give shapes; use one of them")
        if self.crop is not None and self.data is None:
            raise UsageError("--crop needs --data, the LMDB of the images to crop")

    def put(
        self, definition: NetDefinition, phase: int, stages: Sequence[str] = ()
    ) -> tuple[NetDefinition, Sequence[str]]:
        """The network with its data and its batch size, and its stages: with databases by default
        those of training, or in phase TEST of validation.
        """
        if self.data is not None:
            stages = stages or (("val",) if phase == TEST else ("train",))
            made = with_databases(
                definition, self.data, self.labels, self.batch_size, stages, crop=self.crop
            )
            return made, stages
        if self.inputs:
            definition = with_inputs(definition, self.inputs)
        if self.batch_size is not None:
            definition = with_batch_size(definition, self.batch_size)
        return definition, stages


def with_databases(
    pasted: NetDefinition,
    data: Path,
    labels: Path | None,
    batch_size: int | None,
    stages: Sequence[str] = (),
    *,
    crop: int | None = None,
) -> NetDefinition:
    """The train_val net on these databases, or with stage deploy the deploy net."""
    check_boxes(pasted, data, labels)
    refuse_crop_of_lua(pasted.source.text, crop)
    databases = Databases(str(data), None if labels is None else str(labels))
    classes = count_classes(data) if lacks_outputs(pasted.net) and labels is None else None
    files = None
    if reads_boxes(pasted.net):
        files = BoxFiles.find(data, data)
        check_classes(pasted, files)
    images = ImageOptions(crop=crop)
    made = make_train_val(
        pasted,
        databases,
        databases,
        batch_size=batch_size,
        images=images,
        classes=classes,
        files=files,
    )
    return make_deploy(made, _image_shape(made)).definition if "deploy" in stages else made


def refuse_crop_of_lua(text: str, crop: int | None) -> None:
    """Refuse a crop of a Lua text: its modules are made for the shape that it tells.

    Raises:
        UsageError: for one.
    """
    if crop is not None and is_lua(text):
        raise UsageError(
            "a Lua text tells the crop itself: croplen in the table that it returns; omit the crop"
        )


def with_inputs(pasted: NetDefinition, shapes: Mapping[str, Shape]) -> NetDefinition:
    """The network with an Input layer for each shape, instead of layers that produce only these
    blobs.
    """
    read = {bottom for layer in pasted.net.layer for bottom in layer.bottom}
    for name in shapes:
        if name not in read:
            raise UsageError(f"--input {name}: no layer has this bottom{nearest(name, read)}")
    layers = []
    for name, shape in shapes.items():
        layers.append(LayerParameter(name=name, type="Input", top=[name]))
        layers[-1].input_param.shape.add().dim.extend(shape)
    origins: list[tuple[str | int, ...]] = [()] * len(shapes)
    for layer, origin in zip(pasted.net.layer, pasted.origins, strict=True):
        needed = {top for top in layer.top if top in read and top not in shapes}
        if layer.bottom or needed or (layer.top and not shapes.keys() & set(layer.top)):
            layers.append(layer)
            origins.append(origin)
    return pasted.with_layers(layers, origins)


def with_batch_size(definition: NetDefinition, size: int) -> NetDefinition:
    """The network with this batch size in every data layer."""
    sized = definition.copy()
    for layer in sized.net.layer:
        _set_batch_size(layer, size)
    return sized


def _set_batch_size(layer: LayerParameter, size: int) -> None:
    if layer.type in _BATCHES:
        getattr(layer, _BATCHES[layer.type]).batch_size = size
    shapes = [*layer.input_param.shape, *layer.dummy_data_param.shape]
    for shape in shapes if layer.type in ("Input", "DummyData") else ():
        if shape.dim:
            shape.dim[0] = size
    if layer.type == "DummyData" and layer.dummy_data_param.num:
        layer.dummy_data_param.num[:] = [size] * len(layer.dummy_data_param.num)


def _image_shape(made: NetDefinition) -> tuple[int, int, int]:
    """Channels, height and width of the images, from the data layers alone."""
    net = type(made.net)(layer=[layer for layer in made.net.layer if layer.type in DATA])
    origins = ((),) * len(net.layer)
    plan = plan_net(NetDefinition(net, made.source, origins), phase=TRAIN, stages=("train",))
    try:
        _, channels, height, width = plan.steps[0].tops[0].shape or ()
    finally:
        plan.close()
    return channels, height, width


def count_classes(images: Path) -> int:
    """The number of classes of a database: the greatest label plus one."""
    with Database(images) as database:
        return 1 + max(int(datum.label) for _, datum in database)


def image_layers(plan: Plan) -> list[ImageLayer]:
    """The data layers of images, not of label vectors."""
    layers = [step.layer for step in plan.steps if isinstance(step.layer, ImageLayer)]
    return [layers[at] for at in image_positions([layer.spec for layer in layers])]
