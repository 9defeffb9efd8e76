"""Data layers whose database or list is in shards, one for each rank or host."""

from __future__ import annotations

from pathlib import Path

from protonet.data.shards import Shard, agree_on_shards, is_sharded, shard_name
from protonet.errors import LayerError
from protonet.layers.base import LayerContext
from protonet.layers.batches import StreamLayer
from protonet.proto.caffe_pb2 import DataParameter, ImageDataParameter
from protonet.ranks.communicator import Part


def own_source(param: DataParameter | ImageDataParameter, context: LayerContext) -> Path:
    """The database or list of a data layer; of shards, that of this rank.

    Raises:
        LayerError: for shards without several ranks, or with ``partial_batches``.
    """
    name = "data_param" if isinstance(param, DataParameter) else "image_data_param"
    if not is_sharded(param.source):
        return context.find(param.source)
    if context.shards is None:
        raise LayerError(
            f"{param.source} names a shard for each rank, and there is one rank",
            (name, "source"),
            "protonet train --ranks N and mpiexec start several; one rank needs one database or "
            "list",
        )
    if isinstance(param, DataParameter) and param.partial_batches:
        raise LayerError("batches of shards cannot end with the epoch", (name, "partial_batches"))
    return context.find(shard_name(param.source, context.shards))


def shard_of(
    layer: StreamLayer, param: DataParameter | ImageDataParameter, path: Path, records: int
) -> Shard | None:
    """What a layer reads of its shard, of so many records; None for the data of all ranks.

    Raises:
        DataError: when the shards do not go together.
    """
    ranks = layer.context.shards
    if ranks is None or not is_sharded(param.source):
        return None
    part = layer.part or Part(0, layer.batch_size, layer.batch_size)
    return agree_on_shards(ranks, path, records, layer.image_shape, part)
