"""Paths in a message that contain escapes: Windows paths written with single backslashes."""

from __future__ import annotations

from collections.abc import Iterator

from google.protobuf.message import Message

from protonet.proto.lexical import SLASHES

_PATHS = frozenset(
    [
        *("calibrator", "deploy", "file_name", "label_map_file", "mean_file", "meanfile", "model"),
        *("name_size_file", "net", "output_directory", "root_folder", "save_file", "source"),
        *("snapshot_prefix", "test_net", "train_net", "video_file", "weights"),
    ]
)
"""Fields that name a file or a folder."""

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

Where = tuple[str | int, ...]


def path_findings(message: Message) -> Iterator[tuple[Where, str, str]]:
    """The paths with control characters: field, message and hint."""
    for where, name, text in _paths_of(message, ()):
        controls = [f"{what} (from '{escape}')" for each, what, escape in _CONTROLS if each in text]
        if controls:
            yield where, f"'{name}' holds {' and '.join(controls)}", SLASHES


def _paths_of(message: Message, at: Where) -> Iterator[tuple[Where, str, str]]:
    """Every path in a message: its field, the field's name, and its text."""
    for field, value in message.ListFields():
        if field.message_type is None and field.name not in _PATHS:
            continue
        for index, each in enumerate(value if field.is_repeated else [value]):
            where = (*at, field.name, index) if field.is_repeated else (*at, field.name)
            if isinstance(each, Message):
                yield from _paths_of(each, where)
            elif isinstance(each, str):
                yield where, field.name, each
