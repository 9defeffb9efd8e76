from __future__ import annotations

import click
from click.testing import CliRunner

from protonet.cli.examples import CommandWithExamples, GroupWithExamples


def test_examples_are_shown_whole_after_the_epilog() -> None:
    long = "protonet " + "word " * 30 + "end"
    command = CommandWithExamples("do", epilog="By the way.", examples=["protonet do", long])
    lines = CliRunner().invoke(command, ["--help"], terminal_width=60).output.splitlines()
    assert lines[-5:] == ["  By the way.", "", "Examples:", "  protonet do", f"  {long}"]


def test_a_group_lists_its_commands_and_examples() -> None:
    group = GroupWithExamples("all", examples=["all of it"], commands=[click.Command("part")])
    output = CliRunner().invoke(group, ["--help"]).output
    assert output.index("part") < output.index("  all of it\n")
