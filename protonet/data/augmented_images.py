"""What the random steps of a data layer make of images, before a training."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from protonet.data.annotated import Annotated, AnnotatedTransform, read_annotated
from protonet.data.boxes import Objects
from protonet.data.database import Database
from protonet.data.sampling import check_samplers
from protonet.data.transform import Draw, Transformer
from protonet.errors import DataError, LayerError, NetworkError, UsageError
from protonet.proto.caffe_pb2 import TRAIN, LayerParameter, TransformationParameter
from protonet.proto.text import NetDefinition

_TYPES = ("AnnotatedData", "Data", "ImageData")
"""Layers whose transform_param is shown."""


@dataclass(frozen=True)
class Variant:
    """An image, (channels, height, width), and the boxes that it shows."""

    image: np.ndarray
    objects: Objects


@dataclass(frozen=True)
class AugmentedImage:
    """An image of a database by its key, as it is, and as several epochs would see it."""

    key: bytes
    original: Variant
    variants: tuple[Variant, ...]


def augmented_images(
    definition: NetDefinition, images: Path, *, count: int = 4, variants: int = 4, seed: int = 0
) -> Iterator[AugmentedImage]:
    """The first images of a database with the crop, mirroring, distortion, expansion and sampled
    windows of the network's data layer for training; mean and scale are left out, so that they can
    be looked at.

    Raises:
        UsageError: for a network whose data layer changes nothing.
        NetworkError: for settings that contradict each other or the images.
        DataError: for records that cannot be read.
    """
    layer = _data_layer(definition)
    param = _visible(layer.transform_param)
    color = True if param.force_color else False if param.force_gray else None
    samplers = layer.annotated_data_param.batch_sampler
    with Database(images) as database:
        boxed = database.has_boxes
        for place, key in enumerate(database.some_keys(0, count)):
            if boxed:
                record = read_annotated(database, key, color=color, boxes=True)
            else:
                image, label = database.image(key, color=color)
                record = Annotated(image, label, Objects.none(), False)
            shape = record.image.shape
            try:
                check_samplers(samplers)
                transformer = Transformer(param, TRAIN, shape, seed=seed, name=layer.name)
                transform = AnnotatedTransform(transformer, param, samplers)
                made = tuple(
                    _variant(transform, record, draw)
                    for draw in transform.draws(place * variants, variants)
                )
            except LayerError as error:
                raise NetworkError(f'layer "{layer.name}" ({layer.type}): {error}') from None
            except DataError as error:
                raise DataError(f"{database.where(key)}: {error}") from None
            yield AugmentedImage(key, Variant(record.image, record.objects), made)


def _variant(transform: AnnotatedTransform, record: Annotated, draw: Draw) -> Variant:
    out = np.empty(transform.transformer.output_shape, np.float32)
    objects = transform.apply(record, out, draw)
    if record.image.dtype == np.uint8:
        out = np.clip(np.rint(out), 0, 255).astype(np.uint8)
    return Variant(out, objects)


def _data_layer(definition: NetDefinition) -> LayerParameter:
    """The data layer of images for training that has something to show."""
    found: list[LayerParameter] = [
        layer for layer in definition.net.layer if layer.type in _TYPES and _trains(layer)
    ]
    for layer in found:
        if layer.HasField("transform_param") or layer.annotated_data_param.batch_sampler:
            return layer
    if found:
        raise UsageError(f"layer '{found[0].name}' has no transform_param: images stay as they are")
    raise UsageError(
        f"the network has no data layer ({', '.join(_TYPES)}) for training: images stay as they are"
    )


def _trains(layer: LayerParameter) -> bool:
    """Whether a layer is there in training."""
    includes = [rule.phase for rule in layer.include if rule.HasField("phase")]
    excludes = [rule.phase for rule in layer.exclude if rule.HasField("phase")]
    return TRAIN not in excludes and (not includes or TRAIN in includes)


def _visible(param: TransformationParameter) -> TransformationParameter:
    """Without mean and scale."""
    shown = TransformationParameter()
    shown.CopyFrom(param)
    for field in ("mean_file", "mean_value", "scale"):
        shown.ClearField(field)
    return shown
