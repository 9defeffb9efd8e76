"""Checks that images and label vectors belong together, before training."""

from __future__ import annotations

from protonet.data.database import Database, check_pairs
from protonet.errors import DataError
from protonet.graph.plan import Plan
from protonet.jobs.definitions.inputs import ImageLayer
from protonet.layers.inputs import Data
from protonet.proto.caffe_pb2 import Datum


def refuse_swapped(images: Database, labels: Database) -> None:
    """Raise DataError if images and label vectors are swapped."""
    if _is_vector(images.first()[1]) and not _is_vector(labels.first()[1]):
        raise DataError(
            f"{images.path} contains vectors, {labels.path} contains images: they look "
            "swapped; the images come first (--data), then the vectors (--labels)"
        )


def _is_vector(datum: Datum) -> bool:
    """Whether a record has one axis, as in label databases."""
    extents = sorted((datum.channels, datum.height, datum.width))
    return not datum.encoded and bool(datum.float_data) and extents[:2] == [1, 1]


def large_batches(plan: Plan) -> list[str]:
    """Notes on batches larger than their database."""
    return [
        f'layer "{step.name}": a batch of {step.layer.batch_size} has some of the '
        f"{step.layer.length} records of {step.layer.database.path} more than once"
        for step in plan.steps
        if isinstance(step.layer, ImageLayer)
        and step.layer.database is not None
        and step.layer.batch_size > step.layer.length
    ]


def plan_pairs(plan: Plan) -> list[str]:
    """Data layers that are read in parallel (equal batch sizes) must have equally many records.

    Returns notes on those whose keys differ: as in Caffe, they are paired by position.

    Raises:
        DataError: naming the keys without a partner.
    """
    notes = []
    layers = [step.layer for step in plan.steps if isinstance(step.layer, Data)]
    for other in layers[1:]:
        first = layers[0]
        if other.batch_size != first.batch_size or len(first.spec.top) > 1:
            continue
        if first.database is not None and other.database is not None:
            notes.append(check_pairs(first.database, other.database, by_position=True))
    return [note for note in notes if note]
