"""The class table of a segmentation: kept in the run, and what follows from it for the network."""

from __future__ import annotations

from protonet.data.class_table import CLASS_TABLE, ClassTable, find_class_table, write_class_table
from protonet.errors import NetworkError
from protonet.formats.atomic import write_atomic
from protonet.graph.plan import Plan
from protonet.jobs.run.directory import RunDirectory
from protonet.jobs.run.settings import RunSettings
from protonet.proto.text import NetDefinition
from protonet.train.metrics.segmentation import segmentation_loss

_IGNORING = {
    "Accuracy": "accuracy_param",
    "InfogainLoss": "loss_param",
    "SoftmaxWithLoss": "loss_param",
}
"""The messages with an ``ignore_label`` of layers that compare scores with labels."""


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
