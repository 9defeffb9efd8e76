"""Options that several commands have."""

from __future__ import annotations

from typing import Any

import click
from click.testing import CliRunner

from protonet.cli.options import gathered, snapshot_option, with_options


def test_options_are_gathered_into_one_argument() -> None:
    def command(size: tuple[int, int], name: str) -> None:
        """What it does."""
        click.echo(f"{size} {name}")

    inner: Any = click.option("--name", default="x")(command)
    sides = [click.option("--width", type=int), click.option("--height", type=int)]
    outer = with_options(
        gathered(inner, "size", lambda width, height: (width, height), ("width", "height")), sides
    )
    made = click.command()(outer)
    found = CliRunner().invoke(made, ["--height", "2", "--width", "3"])
    assert found.output == "(3, 2) x\n"
    shown = CliRunner().invoke(made, ["--help"]).output
    assert "What it does." in shown
    assert shown.index("--width") < shown.index("--height") < shown.index("--name")


def test_the_snapshot_is_the_last_by_default() -> None:
    @click.command()
    @snapshot_option("The weights")
    def command(snapshot: str) -> None:
        click.echo(snapshot)

    assert CliRunner().invoke(command, []).output == "last\n"
    assert CliRunner().invoke(command, ["--snapshot", "best"]).output == "best\n"
