"""File names in a net: made absolute, so that a run can be resumed from any folder, and listed."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from protonet.data.shards import is_sharded, shard_name
from protonet.layers.base import LayerContext
from protonet.proto.caffe_pb2 import NetParameter
from protonet.proto.paths import named
from protonet.proto.text import NetDefinition
from protonet.ranks.communicator import ALONE, Communicator


def with_absolute_paths(
    definition: NetDefinition, folder: Path, ranks: Communicator = ALONE
) -> NetDefinition:
    """The definition with absolute paths of files; a name with {rank} or {host} keeps them.

    Names are looked up in the working directory, as Caffe does, then in ``folder``. A name that is
    found in neither is unchanged, so that the layer's message shows it as the user wrote it.
    """
    settled = definition.copy()
    context = LayerContext(folder)
    for layer in settled.net.layer:
        for message, field in named(layer):
            name = getattr(message, field)
            if is_sharded(name):
                own = context.find(shard_name(name, ranks))
                outside = own.is_absolute() or own == Path(shard_name(name, ranks))
                setattr(message, field, str((Path() if outside else folder).absolute() / name))
                continue
            found = context.find(name)
            if found.exists():
                setattr(message, field, str(found.resolve()))
    return settled


def databases_of(nets: Iterable[NetParameter]) -> list[str]:
    """The sources of the nets' data layers, each once, without those in shards."""
    return [source for source in _sources(nets) if not is_sharded(source)]


def shards_of(nets: Iterable[NetParameter], ranks: Communicator) -> list[str]:
    """The shards of this rank that the nets' data layers read."""
    return [shard_name(source, ranks) for source in _sources(nets) if is_sharded(source)]


def _sources(nets: Iterable[NetParameter]) -> list[str]:
    sources = [layer.data_param.source for net in nets for layer in net.layer]
    return list(dict.fromkeys(source for source in sources if source))
