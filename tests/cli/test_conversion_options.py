"""Conversions to boxes and to classes of pixels have the same options for images."""

from __future__ import annotations

import click

from protonet.cli import convert_detection, convert_segmentation

SHARED = {"width", "height", "fit", "gray", "encoded", "val_share", "seed"}


def options_of(command: click.Command) -> dict[str, tuple[object, ...]]:
    return {
        str(each.name): (each.opts, str(each.type), each.default)
        for each in command.params
        if each.name in SHARED
    }


def test_both_have_them() -> None:
    found = options_of(convert_detection.command)
    assert set(found) == SHARED
    assert options_of(convert_segmentation.command) == found
