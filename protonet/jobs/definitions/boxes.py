"""Networks that read boxes: their data layers, and the files with their classes and sizes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from protonet.data.annotate import LABEL_MAP, read_label_map
from protonet.data.database import Database
from protonet.data.detection import NAME_SIZES
from protonet.data.name_sizes import read_name_sizes
from protonet.errors import DataError
from protonet.proto.caffe_pb2 import (
    AnnotatedDatum,
    LabelMap,
    LayerParameter,
    NetParameter,
    ResizeParameter,
)

READERS = ("DetectionEvaluate", "MultiBoxFocalLoss", "MultiBoxLoss")
"""Types of layers that read the boxes of objects."""


@dataclass(frozen=True)
class BoxFiles:
    """The label map of a data set with boxes, and the name, height and width of each validation
    image; None for those that there are not.
    """

    label_map: Path | None = None
    name_sizes: Path | None = None

    @staticmethod
    def find(
        data: Path,
        val: Path | None,
        label_map: Path | None = None,
        name_sizes: Path | None = None,
    ) -> BoxFiles:
        """Those that are given, else those beside the databases ``data`` and ``val``.

        Sizes are only those of ``val`` if there are as many.

        Raises:
            DataError: for a file of sizes of another form, or a given one of another number of
            images.
        """
        label_map = label_map or _beside(data, LABEL_MAP)
        if val is None:
            return BoxFiles(label_map)
        if name_sizes is not None:
            _refuse_other_count(name_sizes, val)
            return BoxFiles(label_map, name_sizes)
        found = _beside(val, NAME_SIZES)
        if found is not None and len(read_name_sizes(found)) != _records(val):
            found = None
        return BoxFiles(label_map, found)

    def classes(self) -> list[str] | None:
        """The names of the classes by number, the background first; None without a label map.

        Raises:
            DataError: for a label map that cannot be used.
        """
        return None if self.label_map is None else class_names(read_label_map(self.label_map))


def class_names(label_map: LabelMap) -> list[str]:
    """The display names of a label map by number; "" for a number without a class."""
    names = [""] * (1 + max(item.label for item in label_map.item))
    for item in label_map.item:
        names[item.label] = item.display_name or item.name
    return names


def reads_boxes(net: NetParameter) -> bool:
    """Whether a network learns from boxes, or is tested on them."""
    return any(layer.type == "AnnotatedData" or is_reader(layer) for layer in net.layer)


def is_reader(layer: LayerParameter) -> bool:
    """Whether a layer reads the boxes of the data."""
    return layer.type in READERS and "label" in layer.bottom


def output_notes(net: NetParameter) -> list[str]:
    """A note for a network that learns from boxes, but outputs none."""
    types = {layer.type for layer in net.layer}
    if "DetectionOutput" in types or not types & {"MultiBoxFocalLoss", "MultiBoxLoss"}:
        return []
    return [
        "the network has no DetectionOutput: its predictions are offsets and scores at the priors, "
        "and validation has no mean average precision; DetectionOutput and DetectionEvaluate for "
        "phase TEST, as in examples/prototxt/shapes, give both"
    ]


def annotated_layer(net: NetParameter) -> LayerParameter:
    """A data layer of images with boxes for a network that has none.

    Images get the size of the network's Input layer ``data``, if it has one.
    """
    layer = LayerParameter(name="data", type="AnnotatedData", top=["data", "label"])
    layer.annotated_data_param.anno_type = AnnotatedDatum.BBOX
    extents = _input_extents(net)
    if extents is not None:
        channels, height, width = extents
        transform = layer.transform_param
        transform.resize_param.height, transform.resize_param.width = height, width
        transform.resize_param.interp_mode.append(ResizeParameter.LINEAR)
        if channels in (1, 3):
            setattr(transform, "force_color" if channels == 3 else "force_gray", True)
    return layer


def put_files(layers: Sequence[LayerParameter], files: BoxFiles) -> None:
    """Set the label map in data layers without one, and the sizes in layers that evaluate boxes,
    if images are resized without respect to their aspect ratio.
    """
    modes = {
        layer.transform_param.resize_param.resize_mode
        for layer in layers
        if layer.type == "AnnotatedData" and layer.transform_param.HasField("resize_param")
    }
    for layer in layers:
        param = layer.annotated_data_param
        if layer.type == "AnnotatedData" and files.label_map and not param.label_map_file:
            param.label_map_file = str(files.label_map.resolve())
        test = layer.detection_evaluate_param
        if layer.type != "DetectionEvaluate" or files.name_sizes is None or test.name_size_file:
            continue
        if modes <= {ResizeParameter.WARP}:
            test.name_size_file = str(files.name_sizes.resolve())


def _input_extents(net: NetParameter) -> tuple[int, int, int] | None:
    """Channels, height and width of an Input layer ``data``."""
    for layer in net.layer:
        if layer.type != "Input" or "data" not in layer.top or not layer.input_param.shape:
            continue
        shapes = layer.input_param.shape
        dims = shapes[min(list(layer.top).index("data"), len(shapes) - 1)].dim
        if len(dims) == 4 and min(dims[1:]) > 0:
            return dims[1], dims[2], dims[3]
    return None


def _beside(database: Path, name: str) -> Path | None:
    found = database.resolve().parent / name
    return found if found.is_file() else None


def _refuse_other_count(name_sizes: Path, database: Path) -> None:
    lines, records = len(read_name_sizes(name_sizes)), _records(database)
    if lines != records:
        raise DataError(
            f"{name_sizes}: has {lines} lines, but {database} has {records} images; it needs the "
            "name, height and width of each validation image"
        )


def _records(path: Path) -> int:
    with Database(path) as database:
        return len(database)
