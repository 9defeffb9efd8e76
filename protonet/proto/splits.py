"""The Split layers that Caffe inserts for blobs with several readers.

Only needed for Caffe's numbering of layers and names of blobs: a plan accumulates the gradients of
several readers itself. Source of names and order: Caffe's insert_splits.cpp.
"""

from __future__ import annotations

from collections import defaultdict

from protonet.proto.caffe_pb2 import LayerParameter
from protonet.proto.text import NetDefinition

Writing = tuple[int, int]
"""The index of a layer and of one of its tops."""


def insert_splits(definition: NetDefinition) -> NetDefinition:
    """The definition, after the rules, with a Split after each top that several layers read.

    If one of the readers works in place, which Caffe refuses, no Split is inserted.
    """
    net = definition.net
    readers = _readers(definition)
    made = type(net)()
    made.CopyFrom(net)
    del made.layer[:]
    origins = []
    renamed: dict[tuple[int, int], str] = {}
    for index, layer in enumerate(net.layer):
        added = made.layer.add()
        added.CopyFrom(layer)
        origins.append(definition.origins[index])
        for place, name in enumerate(layer.bottom):
            added.bottom[place] = renamed.get((index, place), name)
        for place in range(len(layer.top)):
            those = readers.get((index, place), [])
            weight = layer.loss_weight[place] if place < len(layer.loss_weight) else 0.0
            counted = bool(weight and those)
            if len(those) + counted < 2 or any(_in_place(net.layer[i], p) for i, p in those):
                continue
            split = _split(layer, place, len(those) + counted)
            if counted:
                added.loss_weight[place] = 0
                split.loss_weight.extend([weight] + [0] * len(those))
            for reader, top in zip(those, split.top[counted:], strict=True):
                renamed[reader] = top
            made.layer.append(split)
            origins.append(definition.origins[index])
    return NetDefinition(made, definition.source, tuple(origins))


def _readers(definition: NetDefinition) -> dict[Writing, list[tuple[int, int]]]:
    """The readers of each top, as (layer, index among its bottoms)."""
    last: dict[str, Writing] = {}
    readers: dict[Writing, list[tuple[int, int]]] = defaultdict(list)
    for index, layer in enumerate(definition.net.layer):
        for place, name in enumerate(layer.bottom):
            if name in last:
                readers[last[name]].append((index, place))
        for place, name in enumerate(layer.top):
            last[name] = (index, place)
    return readers


def _in_place(layer: LayerParameter, place: int) -> bool:
    return place < len(layer.top) and layer.top[place] == layer.bottom[place]


def _split(layer: LayerParameter, place: int, count: int) -> LayerParameter:
    name = f"{layer.top[place]}_{layer.name}_{place}_split"
    return LayerParameter(
        name=name,
        type="Split",
        bottom=[layer.top[place]],
        top=[f"{name}_{number}" for number in range(count)],
    )
