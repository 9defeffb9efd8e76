"""Switches as gflags write them."""

from __future__ import annotations

import click
import pytest
from click.testing import CliRunner

from protonet.cli.gflags import GflagsCommand


@click.command(cls=GflagsCommand)
@click.option("--gray", "-gray", is_flag=True)
@click.option("--mirror/--still", "-mirror", default=None)
@click.option("--size", "-size", type=int)
@click.argument("rest", nargs=-1)
def command(gray: bool, mirror: bool | None, size: int | None, rest: tuple[str, ...]) -> None:
    click.echo(f"{gray} {mirror} {size} {' '.join(rest)}".rstrip())


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("", "False None None"),
        ("-gray", "True None None"),
        ("--gray=true", "True None None"),
        ("-gray=1 -size=5 a", "True None 5 a"),
        ("--gray=false --size 5", "False None 5"),
        ("--nogray", "False None None"),
        ("-mirror=yes", "False True None"),
        ("--mirror=no", "False False None"),
        ("--nomirror", "False False None"),
        ("--logtostderr=1 -v=2 -minloglevel=3 a b", "False None None a b"),
        ("--alsologtostderr -log_dir /tmp --nologtostderr -v 1 a", "False None None a"),
        ("-log_dir", "False None None"),
        ("-- --gray=true a", "False None None --gray=true a"),
    ],
)
def test_all_spellings_of_a_switch(given: str, shown: str) -> None:
    found = CliRunner().invoke(command, given.split())
    assert (found.exit_code, found.output) == (0, f"{shown}\n")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("--gray=maybe", "--gray=maybe: expected true or false after the '='"),
        ("--nosize", "No such option '--nosize'"),
        ("--grya=true", "No such option '--grya'"),
    ],
)
def test_what_is_no_switch(given: str, message: str) -> None:
    found = CliRunner().invoke(command, [given])
    assert found.exit_code == 2
    assert message in found.output
