"""Paths in a message: the fields that name files and folders."""

from __future__ import annotations

from collections.abc import Iterator, Set
from dataclasses import dataclass
from pathlib import PurePath

from google.protobuf.message import Message

from protonet.proto.caffe_pb2 import NetParameter
from protonet.proto.lexical import SLASHES
from protonet.proto.source import Where

READ = frozenset(
    [
        *("class_map", "file", "label_map_file", "mean_file", "meanfile", "name_size_file"),
        *("softmax_tree", "source", "video_file"),
    ]
)
"""The fields of layers that name a file, a database or a list to read."""

OF_LAYERS = READ | {
    *("calibrator", "deploy", "file_name", "model", "output_directory", "root_folder"),
    "save_file",
}
"""The fields of layers that name a file or a folder."""

_ALL = OF_LAYERS | {"net", "snapshot_prefix", "test_net", "train_net", "weights"}

_CONTROLS = (
    ("\t", "a tab", r"\t"),
    ("\v", "a tab", r"\v"),
    ("\n", "a line break", r"\n"),
    ("\r", "a line break", r"\r"),
    ("\f", "a page break", r"\f"),
    ("\b", "a backspace", r"\b"),
    ("\a", "a bell", r"\a"),
    ("\0", "a zero byte", r"\0"),
)


@dataclass(frozen=True)
class PathField:
    """A path, the field ``name`` of ``message`` that holds it, and ``where`` that is from the
    message in which it was looked for.
    """

    path: str
    message: Message
    name: str
    where: Where


def paths_in(message: Message, names: Set[str] = READ, at: Where = ()) -> Iterator[PathField]:
    """The paths that fields of these names hold, at any depth."""
    for field, value in message.ListFields():
        if field.message_type is None and field.name not in names:
            continue
        for index, each in enumerate(value if field.is_repeated else [value]):
            where = (*at, field.name, index) if field.is_repeated else (*at, field.name)
            if isinstance(each, Message):
                yield from paths_in(each, names, where)
            elif isinstance(each, str) and each:
                yield PathField(each, message, field.name, where)


def path_findings(message: Message) -> Iterator[tuple[Where, str, str]]:
    """The paths with control characters, as Windows paths written with single backslashes have
    them: field, message and hint.
    """
    for each in paths_in(message, _ALL):
        controls = [f"{what} (from '{escape}')" for c, what, escape in _CONTROLS if c in each.path]
        if controls:
            yield each.where, f"'{each.name}' holds {' and '.join(controls)}", SLASHES


def without_folders(net: NetParameter) -> NetParameter:
    """Replace absolute paths in the net by their last component, so that a file of weights does not
    reveal where its data was. Changes and returns ``net``.
    """
    for layer in net.layer:
        for each in paths_in(layer, OF_LAYERS):
            path = PurePath(each.path)
            if path.is_absolute():
                setattr(each.message, each.name, path.name)
    return net
