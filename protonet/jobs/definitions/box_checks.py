"""Whether the records of a database are what the network reads: class numbers, or boxes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from protonet.data.database import Database
from protonet.errors import Mistake, NetworkError, UsageError
from protonet.jobs.definitions.boxes import BoxFiles, is_reader, reads_boxes
from protonet.proto.caffe_pb2 import LayerParameter
from protonet.proto.text import NetDefinition, Where

_COUNTED = (
    ("MultiBoxLoss", "multibox_loss_param"),
    ("MultiBoxFocalLoss", "multibox_loss_param"),
    ("DetectionOutput", "detection_output_param"),
    ("DetectionEvaluate", "detection_evaluate_param"),
)
"""Types of layers that count the classes, and the message with num_classes."""
_SHOWN = 20
"""Classes that a message lists."""


def check_boxes(pasted: NetDefinition, images: Path, labels: Path | None = None) -> None:
    """Refuse a network that reads boxes from plain images, or class numbers from images with
    boxes.

    ``labels`` is the database of labels that is given beside the images.

    Raises:
        NetworkError: at the layer that reads them.
        UsageError: for ``labels`` that the network does not read.
    """
    with Database(images) as database:
        has_boxes = database.has_boxes
    needs = reads_boxes(pasted.net)
    if needs and not has_boxes:
        layer, where = next(_of(pasted, boxes=True))
        raise _mistake(
            pasted, layer, where, f"reads boxes, but {images} has plain images",
            "protonet convert-detection and protonet create-db shapes make databases of images "
            "with boxes",
        )  # fmt: skip
    if needs and labels is not None:
        raise UsageError(
            f"{pasted.source.name}: reads boxes, which are in the records of the images; omit "
            "--labels (and --val-labels)"
        )
    if has_boxes and not needs and labels is None:
        for layer, where in _of(pasted, boxes=False):
            hint = "MultiBoxLoss learns from boxes, as in examples/prototxt/shapes"
            if layer.type == "DetectNetTransformation":
                hint = "give --labels (and --val-labels), as protonet convert-detection --detectnet"
                hint += " makes them"
            message = f"'label' would be class numbers, but {images} has images with boxes"
            raise _mistake(pasted, layer, where, message, hint)


def check_classes(pasted: NetDefinition, files: BoxFiles) -> None:
    """Refuse another num_classes than that of the label map, unless all objects are one class.

    Raises:
        NetworkError: at each layer with another number.
        DataError: for a label map that cannot be used.
    """
    names = files.classes()
    if names is None or any(_is_agnostic(layer) for layer in pasted.net.layer):
        return
    shown = ", ".join(names[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "")
    mistakes: list[Mistake] = []
    for layer, where in zip(pasted.net.layer, pasted.origins, strict=True):
        param = dict(_COUNTED).get(layer.type)
        count = getattr(layer, param).num_classes if param is not None else 0
        if param is None or count in (0, len(names)):
            continue
        text = (
            f'layer "{layer.name}" ({layer.type}): num_classes is {count}, but {files.label_map} '
            f"has {len(names)} with the background: {shown}"
        )
        hint = f"num_classes: {len(names)}, and as many scores for each prior"
        mistakes.append(pasted.source.mistake((*where, param, "num_classes"), text, hint))
    if mistakes:
        raise NetworkError(mistakes)


def _is_agnostic(layer: LayerParameter) -> bool:
    return bool(layer.multibox_loss_param.map_object_to_agnostic)


def _of(pasted: NetDefinition, *, boxes: bool) -> Iterator[tuple[LayerParameter, Where]]:
    """The layers that read boxes, or those that read ``label`` as something else."""
    for layer, where in zip(pasted.net.layer, pasted.origins, strict=True):
        if boxes and (layer.type == "AnnotatedData" or is_reader(layer)):
            yield layer, where
        if not boxes and ("label" in layer.bottom or (layer.type == "Data" and len(layer.top) > 1)):
            yield layer, where


def _mistake(
    pasted: NetDefinition, layer: LayerParameter, where: Where, message: str, hint: str
) -> NetworkError:
    text = f'layer "{layer.name}" ({layer.type}): {message}'
    return NetworkError([pasted.source.mistake(where, text, hint)])
