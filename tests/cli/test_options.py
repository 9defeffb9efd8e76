"""Options that several commands have."""

from __future__ import annotations

from typing import Any

import click
import pytest
from click.testing import CliRunner

from protonet.cli import main
from protonet.cli.options import Count, Fraction, Int32, gathered, snapshot_option, with_options


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


@pytest.mark.parametrize("given", ["nan", "NaN", "-0.1", "1.5", "inf", "x"])
def test_a_fraction_is_in_its_range(given: str) -> None:
    @click.command()
    @click.option("--share", type=Fraction(0, 1))
    def command(share: float) -> None:
        click.echo(share)

    assert CliRunner().invoke(command, ["--share", "0.25"]).output == "0.25\n"
    found = CliRunner().invoke(command, ["--share", given])
    assert found.exit_code == 2
    assert "0.25" not in found.output
    assert "Invalid value for '--share'" in found.output


@pytest.mark.parametrize(
    ("command", "option"),
    [
        ("convert-detection", "--val-share"),
        ("convert-segmentation", "--val-share"),
        ("convert-folders", "--val-share"),
        ("convert-vectors", "--val-share"),
        ("infer", "--threshold"),
        ("infer", "--opacity"),
        ("test", "--threshold"),
    ],
)
def test_no_fraction_is_nan(protonet: Any, command: str, option: str) -> None:
    found = protonet(command, option, "nan", "a", "b")
    assert (found.returncode, found.stdout) == (2, "")
    assert f"Invalid value for '{option}': nan is not in the range 0<=x<" in found.stderr


HUGE = "99999999999999999999"


@pytest.mark.parametrize(
    "arguments",
    [
        ["check", "net.prototxt", "--level", HUGE],
        ["check", "net.prototxt", "--batch-size", HUGE],
        ["check", "net.prototxt", "--input", f"data={HUGE}x2"],
        ["time", "net.prototxt", "--iterations", "2147483648"],
        ["draw", "net.prototxt", "--level", "-2147483648"],
        ["profile", "net.prototxt", "--batch-size", HUGE],
        ["export-onnx", "net.prototxt", "--batch", HUGE],
        ["create-db", "gradients", "made", "-c", HUGE],
        ["test", "net.prototxt", "--iterations", HUGE],
    ],
    ids=lambda arguments: " ".join(arguments[:1] + arguments[2:3]),
)
def test_numbers_that_messages_cannot_hold_are_refused(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    assert "2147483647" in capsys.readouterr().err


def test_the_greatest_and_the_least_number() -> None:
    assert Int32().convert(str(2**31 - 1), None, None) == 2**31 - 1
    assert Int32().convert(str(1 - 2**31), None, None) == 1 - 2**31
    assert Count(1).convert("1", None, None) == 1
    with pytest.raises(click.BadParameter, match="0 is not in the range x>=1"):
        Count(1).convert("0", None, None)
