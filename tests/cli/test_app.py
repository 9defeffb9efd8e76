from __future__ import annotations

import gc
import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from protonet import errors
from protonet.cli import app as program
from protonet.cli import main
from protonet.cli.examples import CommandWithExamples

REFERENCE = Path(__file__).parents[2] / "docs" / "commands.md"


def commands(
    command: click.Command = program.app, path: tuple[str, ...] = ()
) -> Iterator[tuple[str, click.Command]]:
    """Every command with the words that call it, groups included."""
    yield " ".join(("protonet", *path)), command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            assert found is not None
            yield from commands(found, (*path, name))


ALL = dict(commands())


def test_the_commands_come_in_the_order_in_which_one_meets_them() -> None:
    assert list(ALL) == [
        "protonet",
        "protonet create-db",
        "protonet create-db gradients",
        "protonet create-db segments",
        "protonet create-db shapes",
        "protonet check",
        "protonet train",
        "protonet infer",
        "protonet classify",
        "protonet test",
        "protonet time",
        "protonet profile",
        "protonet serve",
        "protonet layers",
        "protonet draw",
        "protonet plot",
        "protonet learning-rate",
        "protonet augment",
        "protonet compare",
        "protonet parse-log",
        "protonet convert-vectors",
        "protonet convert-imageset",
        "protonet convert-folders",
        "protonet convert-lists",
        "protonet convert-detection",
        "protonet convert-segmentation",
        "protonet inspect-data",
        "protonet compute-image-mean",
        "protonet extract-features",
        "protonet convert-weights",
        "protonet export-onnx",
        "protonet quantize",
        "protonet upgrade",
        "protonet device-query",
    ]


@pytest.mark.parametrize("name", ALL)
def test_every_option_has_a_help_text(name: str) -> None:
    options = [p for p in ALL[name].params if isinstance(p, click.Option)]
    assert [option.name for option in options if not option.help] == []


@pytest.mark.parametrize("name", ALL)
def test_the_examples_of_every_help_text_parse(name: str) -> None:
    command = ALL[name]
    assert isinstance(command, CommandWithExamples)
    assert command.examples
    for line in command.examples:
        _, _, call = line.rpartition("| protonet ")
        words = shlex.split(call.partition(" | ")[0].partition(" > ")[0])
        words = words[1:] if words[0] == "protonet" else words
        group: click.Command = program.app
        context = click.Context(group, help_option_names=["-h", "--help"])
        while isinstance(group, click.Group) and words and not words[0].startswith("-"):
            found = group.get_command(context, words.pop(0))
            assert found is not None, line
            group, context = found, click.Context(found, parent=context)
        group.make_parser(context).parse_args(list(words))


def test_the_reference_shows_the_help_texts_as_they_are() -> None:
    parts = ["# Commands\n"]
    for name in ALL:
        words = name.split()[1:]
        shown = CliRunner().invoke(
            program.app, [*words, "--help"], prog_name="protonet", terminal_width=80
        )
        parts.append(f"## {name}\n\n```text\n{shown.output}```\n")
    assert REFERENCE.read_text() == "\n".join(parts)


def test_help_imports_nothing_heavy() -> None:
    heavy = "{'numpy', 'rich', 'matplotlib', 'PIL', 'lark', 'lmdb', 'h5py', 'google.protobuf'}"
    code = (
        "import sys; from protonet.cli import main; main(['--help']);"
        f"print(sorted({heavy} & set(sys.modules)))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.splitlines()[-1] == "[]"


def test_help_waits_for_nothing_heavy() -> None:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "protonet", "--help"],
        check=True,
        capture_output=True,
        text=True,
    )
    loaded = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "click" in loaded
    assert not loaded & {"numpy", "google.protobuf", "lark", "matplotlib", "rich", "h5py", "PIL"}


def test_version_is_the_package_s(protonet: Any) -> None:
    import protonet as package

    found = protonet("--version")
    assert (found.returncode, found.stdout) == (0, f"protonet {package.__version__}\n")


def test_an_unknown_command_or_option_names_the_nearest(protonet: Any) -> None:
    found = protonet("chekc")
    assert found.returncode == 2
    assert "check" in found.stderr
    found = protonet("train", "--epoch", "3")
    assert found.returncode == 2
    assert "--epochs" in found.stderr


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (errors.UsageError("no such run"), 2, "error: no such run\n"),
        (errors.DataError("db: key 7"), 4, "error: db: key 7\n"),
        (errors.DeviceError("no GPU"), 6, "error: no GPU\n"),
        (errors.NetworkError("no layers"), 3, "error: no layers\n"),
        (
            errors.NetworkError([errors.Mistake("a", "n", 1, 2), errors.Mistake("b", "n", 3, 4)]),
            3,
            "error: n:1:2: a\nerror: n:3:4: b\n2 mistakes\n",
        ),
        (MemoryError(), 6, "error: out of memory; a smaller --batch-size needs less\n"),
        (KeyboardInterrupt(), 130, "error: interrupted\n"),
        (click.Abort(), 130, "error: interrupted\n"),
        (click.UsageError("what?"), 2, "Error: what?\n"),
        (PermissionError(13, "Permission denied", "/x"), 1, "error: /x: Permission denied\n"),
        (OSError("strange"), 1, "error: strange\n"),
    ],
)
def test_an_error_is_a_message_and_an_exit_code(
    error: BaseException,
    code: int,
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(program.app, "main", fail)
    assert main([]) == code
    assert capsys.readouterr() == ("", message)


@pytest.mark.parametrize("arguments", [("layers",), ("train", "--help")])
def test_a_reader_that_goes_away_is_met_with_silence(arguments: tuple[str, ...]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    found = subprocess.run(
        [sys.executable, "-m", "protonet", *arguments],
        stdout=writing,
        stderr=subprocess.PIPE,
        check=False,
    )
    os.close(writing)
    assert (found.returncode, found.stderr) == (1, b"")


@pytest.mark.parametrize(("variables", "colored"), [({}, True), ({"NO_COLOR": "1"}, False)])
def test_errors_are_coloured_on_a_terminal_unless_unwanted(
    variables: dict[str, str], colored: bool, terminal: Any
) -> None:
    shown = terminal("layers", "Powr", **variables)
    assert shown.returncode == 2
    assert ("\x1b[31m" in shown.stdout) is colored


@pytest.mark.parametrize(
    ("tool", "shown"),
    [
        ("classification.bin", "Usage: protonet classification.bin [OPTIONS] NET IMAGE..."),
        ("classify.py", "Usage: protonet classify.py [OPTIONS] NET IMAGE..."),
        ("draw_net.py", "Usage: protonet draw_net.py [OPTIONS] NETWORK [OUT]"),
        ("parse_log.py", "Usage: protonet parse_log.py [OPTIONS] LOG [FOLDER]"),
        ("convert_imageset", "Usage: protonet convert_imageset [OPTIONS] ROOT LIST DB"),
        ("upgrade_net_proto_text", "Usage: protonet upgrade_net_proto_text [OPTIONS] IN OUT"),
    ],
)
def test_the_names_of_caffes_tools_are_understood(tool: str, shown: str, protonet: Any) -> None:
    found = protonet(tool, "--help")
    assert (found.returncode, found.stdout.splitlines()[0]) == (0, shown)


def test_what_was_added_to_an_error_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object, **__: object) -> None:
        error = KeyboardInterrupt()
        error.add_note("half is kept")
        raise click.Abort from error

    monkeypatch.setattr(program.app, "main", fail)
    assert main([]) == 130
    assert capsys.readouterr().err == "error: interrupted\nhalf is kept\n"


def test_the_program_is_called_caffe_too() -> None:
    """With Caffe's underscores."""
    caffe = Path(sys.executable).with_name("caffe")
    found = subprocess.run([caffe, "device_query"], capture_output=True, text=True, check=True)
    assert found.stdout.startswith("cpu: ")
    wrong = subprocess.run([caffe, "tset"], capture_output=True, text=True)
    assert wrong.returncode == 2
    assert "Usage: caffe" in wrong.stderr
    assert "no command 'tset'; did you mean 'test'?" in wrong.stderr


def test_an_interrupt_inside_an_exec_keeps_the_exit_code(tmp_path: Path) -> None:
    """CPython would end the process by SIGINT (findings/python_m_interrupt_in_exec.sh)."""
    (tmp_path / "interrupting.py").write_text(
        "import os, signal\n"
        "exec('os.kill(os.getpid(), signal.SIGINT)\\nwhile True: pass')\n"
    )  # fmt: skip
    found = subprocess.run(
        [sys.executable, "-m", "protonet", "layers", "--import", "interrupting"],
        cwd=tmp_path, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert (found.returncode, found.stderr.strip()) == (130, "error: interrupted")


def test_a_process_that_ends_looks_for_no_garbage(monkeypatch: pytest.MonkeyPatch) -> None:
    frozen: list[int] = []
    monkeypatch.setattr(gc, "freeze", lambda: frozen.append(1))
    assert main(["--version"]) == 0
    assert frozen == []  # of a script, a command is a part
    monkeypatch.setattr(sys, "argv", ["protonet", "--version"])
    assert main() == 0
    assert frozen == [1]


def test_threads_of_numpy_are_told_to_sleep_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    name = "OPENBLAS_THREAD_TIMEOUT"
    monkeypatch.setenv(name, "")
    monkeypatch.delenv(name)
    assert main(["--version"]) == 0
    assert name not in os.environ  # NumPy may be there, and the process is a script's
    monkeypatch.setattr(sys, "argv", ["protonet", "--version"])
    monkeypatch.setattr(gc, "freeze", lambda: None)
    assert main() == 0
    assert os.environ[name] == "22"
    monkeypatch.setenv(name, "26")
    assert main() == 0
    assert os.environ[name] == "26"  # the user's choice


def test_numpy_is_imported_by_commands_only() -> None:
    """What the program sets in the environment for NumPy's threads comes before it."""
    code = "import sys, protonet.cli.app; sys.exit('numpy' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
