"""Whose moments batch normalization takes: those of a rank's part of the batch, or of all ranks."""

from __future__ import annotations

from protonet.errors import LayerError
from protonet.kernels.joint_normalization import JointBatchNormScale
from protonet.kernels.normalization import BatchNormScale
from protonet.layers.base import Layer


def moments_of(
    layer: Layer, items: int, channels: int, places: int, eps: float
) -> tuple[BatchNormScale, int]:
    """The kernel of a layer for ``items`` of a batch, and the items whose moments it takes: more
    than ``items`` where several ranks have parts of a batch and ``sync_batch_norm`` is set.

    Raises:
        LayerError: for a part whose items are not those of the batch.
    """
    part, extents = layer.random.part, (items, channels, places)
    if part is None or not layer.context.sync_batch_norm or layer.context.ranks.alone:
        return BatchNormScale.make(layer.device, layer.dtype, *extents, eps), items
    if items % part.count:
        raise LayerError(
            f"its bottom has {items} items, which is no multiple of the {part.count} images of "
            "this rank: their moments cannot be those of the whole batch",
            ("bottom", 0),
            "train without sync_batch_norm, or on one rank",
        )
    whole = items // part.count * part.whole
    given = (*extents, eps, layer.context.ranks, whole * part.copies)
    return JointBatchNormScale.make(layer.device, layer.dtype, *given), whole
