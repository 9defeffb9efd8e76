"""File names in a net: made absolute, so that a run can be resumed from any folder, and listed."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from protonet.data.shards import is_sharded, shard_name
from protonet.layers.base import LayerContext
from protonet.proto.caffe_pb2 import NetParameter
from protonet.proto.paths import paths_in
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
        for each in paths_in(layer):
            if is_sharded(each.path):
                own = context.find(shard_name(each.path, ranks))
                outside = own.is_absolute() or own == Path(shard_name(each.path, ranks))
                whole = (Path() if outside else folder).absolute() / each.path
                setattr(each.message, each.name, str(whole))
                continue
            found = context.find(each.path)
            if found.exists():
                setattr(each.message, each.name, str(found.resolve()))
    return settled


def databases_of(nets: Iterable[NetParameter]) -> list[str]:
    """The databases that the nets' data layers read, each once, without those in shards."""
    sources = (layer.data_param.source for net in nets for layer in net.layer)
    return [each for each in dict.fromkeys(sources) if each and not is_sharded(each)]


def inputs_of(nets: Iterable[NetParameter]) -> list[str]:
    """The databases, lists and other files that the nets' layers read, each once, without those in
    shards.
    """
    return [path for path in _read(nets) if not is_sharded(path)]


def shards_of(nets: Iterable[NetParameter], ranks: Communicator) -> list[str]:
    """The shards of this rank that the nets' data layers read."""
    return [shard_name(path, ranks) for path in _read(nets) if is_sharded(path)]


def _read(nets: Iterable[NetParameter]) -> dict[str, None]:
    return dict.fromkeys(each.path for net in nets for each in paths_in(net))
