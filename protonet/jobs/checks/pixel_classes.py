"""The class table of a segmentation: kept in the run, and what follows from it for the network."""

from __future__ import annotations

from pathlib import Path

from protonet.data.class_table import CLASS_TABLE, ClassTable, find_class_table, write_class_table
from protonet.data.database import Database
from protonet.data.datum import decode
from protonet.errors import NetworkError
from protonet.formats.atomic import write_atomic
from protonet.graph.plan import Plan
from protonet.jobs.run.directory import RunDirectory
from protonet.jobs.run.settings import RunSettings
from protonet.proto.caffe_pb2 import LayerParameter
from protonet.proto.text import NetDefinition
from protonet.train.metrics.segmentation import segmentation_loss

_IGNORING = {
    "Accuracy": "accuracy_param",
    "InfogainLoss": "loss_param",
    "SoftmaxWithLoss": "loss_param",
}
"""The messages with an ``ignore_label`` of layers that compare scores with labels."""

_SIZES = ("crop_size", "crop_h", "crop_w")
"""What labels must do as their images do."""
_SHAPES = (
    "expand_param", "img_rand_resize_lower", "rand_resize_ratio_lower", "random_resize_param",
    "random_aspect_ratio_param", "resize_param", "vertical_stretch_lower",
    "horizontal_stretch_lower",
)  # fmt: skip
"""What changes the shapes in images, and cannot be done to classes."""


def store_class_table(run: RunDirectory, settings: RunSettings) -> ClassTable | None:
    """Copy the class table beside the labels into the run, and write the names of the classes to
    labels.txt; None where there is none.

    Raises:
        DataError: for a file that is no class table.
    """
    table = None if settings.labels is None else find_class_table(settings.labels)
    if table is not None:
        write_class_table(run.path, table)
        write_atomic(run.labels, "".join(f"{name}\n" for name in table.names).encode())
    return table


def with_ignored_pixels(
    definition: NetDefinition, table: ClassTable | None
) -> tuple[NetDefinition, list[str]]:
    """The network whose layers that compare scores with ``label`` leave out the pixels that the
    table ignores, where the text says nothing of it, and notes on them.
    """
    if table is None or table.ignore is None:
        return definition, []
    changed, names = definition.copy(), []
    for layer in changed.net.layer:
        message = getattr(layer, _IGNORING.get(layer.type, ""), None)
        if message is None or list(layer.bottom[1:2]) != ["label"]:
            continue
        if not message.HasField("ignore_label"):
            message.ignore_label = table.ignore
            names.append(f'"{layer.name}"')
    if not names:
        return definition, []
    return changed, [
        f"ignore_label: {table.ignore} was missing in {', '.join(names)}: set, since "
        f"{CLASS_TABLE} of the labels ignores it"
    ]


def with_following_labels(
    definition: NetDefinition, settings: RunSettings
) -> tuple[NetDefinition, list[str]]:
    """The network whose data layers of labels mirror and crop maps as those of the images do, with
    the same random draws, and notes on them.

    Raises:
        NetworkError: for images that are cropped or resized without their labels.
    """
    changed, names = definition.copy(), []
    for images, labels in (
        (settings.data, settings.labels),
        (settings.val_data, settings.val_labels),
    ):
        if images is None or labels is None or not _are_maps(images, labels):
            continue
        layers = [layer for layer in changed.net.layer if layer.type == "Data"]
        of_images = [each for each in layers if _reads(each, images)]
        for layer in (each for each in layers if _reads(each, labels)):
            for other in of_images[:1]:
                if _follow(definition, layer, other):
                    names.append(f'"{layer.name}"')
    told = ", ".join(dict.fromkeys(names))
    return changed, [f"{told}: mirrored and cropped as the images are"] if names else []


def _reads(layer: LayerParameter, database: Path) -> bool:
    return bool(layer.data_param.source == str(database.resolve()))


def _are_maps(images: Path, labels: Path) -> bool:
    """Whether the labels have a number for each pixel of the images."""
    shapes = []
    for path in (images, labels):
        with Database(path) as database:
            key, datum = database.first()
            shapes.append(decode(datum, database.where(key)).shape)
    (_, *image), (channels, *plane) = shapes
    return channels == 1 and plane == image and plane != [1, 1]


def _follow(definition: NetDefinition, layer: LayerParameter, images: LayerParameter) -> bool:
    """Let a layer of labels do what that of its images does; whether that is random."""
    own, theirs = layer.transform_param, images.transform_param
    for field in _SIZES:
        if theirs.HasField(field) and getattr(own, field) != getattr(theirs, field):
            raise NetworkError(
                f'{definition.source.name}: layer "{images.name}" has {field}, but layer '
                f'"{layer.name}" of the labels of its pixels does not: give it the same, or make '
                "the images smaller with convert-segmentation --width --height"
            )
    for field in _SHAPES:
        if theirs.HasField(field):
            raise NetworkError(
                f'{definition.source.name}: layer "{images.name}" has {field}, which the labels of '
                "its pixels cannot follow"
            )
    if theirs.mirror:
        own.mirror = True
    if not (own.mirror or own.crop_size or own.crop_h):
        return False
    if not own.HasField("draws_of"):
        own.draws_of = images.name
    if theirs.HasField("random_seed"):
        own.random_seed = theirs.random_seed
    return True


def check_scores(plan: Plan, pasted: NetDefinition, table: ClassTable | None) -> list[str]:
    """A note where the network has more scores for a pixel than there are classes.

    Raises:
        NetworkError: where it has fewer.
    """
    step = segmentation_loss(plan)
    if table is None or step is None:
        return []
    scores, classes = step.bottoms[0], len(table.names)
    found = scores.shape[1]
    if found < classes:
        raise NetworkError(
            f"{pasted.source.name}: '{scores.name}' has {found} score(s) for a pixel, but the "
            f"labels have {classes} classes ({', '.join(table.names[:8])}"
            f"{', ...' if classes > 8 else ''}); set num_output: {classes} in layer "
            f'"{plan.steps[scores.producer].name}"'
        )
    if found > classes:
        return [
            f"'{scores.name}' has {found} scores for a pixel; the labels have {classes} classes"
        ]
    return []
