"""The documents say what is true: their blocks are run, their commands and figures checked."""

from __future__ import annotations

import inspect
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

from protonet.layers import Layer, layer_types
from protonet.layers.base import Traits
from protonet.proto.text import Source, read_net
from tests.test_house import FLOORS

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text()


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def commands(text: str) -> list[list[str]]:
    lines = [line for block in blocks(text, "sh") for line in block.splitlines()]
    return [shlex.split(line) for line in lines if line.startswith("protonet ")]


def protonet(arguments: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "protonet", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.fixture(scope="module")
def seed_example(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """A folder in which the README's commands were run, and what each printed."""
    folder = tmp_path_factory.mktemp("readme")
    shutil.copytree(ROOT / "examples", folder / "examples")
    printed = []
    for command in commands(README):
        if not is_seed_example(command):
            continue
        done = protonet(command[1:], folder)
        assert done.returncode == 0, done.stderr
        printed.append(done.stdout)
    return folder, printed


def is_seed_example(command: list[str]) -> bool:
    """Not one of further examples: other solvers, or Lua."""
    return "--solver" not in command and "lua" not in " ".join(command)


def test_the_seed_example_prints_what_the_readme_shows(
    seed_example: tuple[Path, list[str]],
) -> None:
    _, (_, checked, _, answer) = seed_example
    table, _, shown = blocks(README, "text")
    assert table in checked
    found, expected = (np.array(re.findall(r"\d\.\d+", each), float) for each in (answer, shown))
    np.testing.assert_allclose(found, expected, atol=1e-4)
    np.testing.assert_allclose(found, 0.5, atol=0.02)


def test_the_readmes_own_layer(tmp_path: Path) -> None:
    """It passes its check, and a network that uses it is understood."""
    (code,) = [block for block in blocks(README, "python") if "Softsign" in block]
    (tmp_path / "softsign.py").write_text(code)
    subprocess.run([sys.executable, "softsign.py"], cwd=tmp_path, check=True, timeout=60)
    (tmp_path / "net.prototxt").write_text(
        'layer { name: "s" type: "Softsign" bottom: "data" top: "s" }'
    )
    given = ["check", "net.prototxt", "--input", "data=4x3", "--import", "softsign"]
    done = protonet(given, tmp_path)
    assert done.returncode == 0, done.stderr
    assert "Softsign" in done.stdout


def test_the_readmes_mistakes_are_what_check_prints(
    seed_example: tuple[Path, list[str]],
) -> None:
    folder, _ = seed_example
    net = blocks(README, "prototxt")[0]
    typo = net.replace('"Power"', '"Powr"').replace('bottom: "output"', 'bottom: "outptu"')
    (folder / "typo.prototxt").write_text(typo)
    done = protonet(
        ["check", "typo.prototxt", "--data", "demo/data/train_images", "--labels",
         "demo/data/train_labels"],
        folder,
    )  # fmt: skip
    assert done.returncode == 3
    assert done.stderr == blocks(README, "text")[1]


def test_the_network_of_the_readme_is_the_example() -> None:
    (block,) = blocks(README, "prototxt")
    assert block == (ROOT / "examples/prototxt/gradients/net.prototxt").read_text()
    assert len(read_net(Source("README", block)).net.layer) == 3


def test_the_makefile_runs_the_commands_of_the_readme() -> None:
    made = subprocess.run(
        ["make", "-n", "demo"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.replace("\\\n", " ")
    shown = [command for command in commands(README) if is_seed_example(command)]
    for command in shown:
        assert shlex.join(command[1:]) in " ".join(made.split())


def test_the_example_beyond_caffe_trains(seed_example: tuple[Path, list[str]]) -> None:
    folder, _ = seed_example
    (command,) = [command for command in commands(README) if "AdamW" in command]
    done = protonet([*command[1:], "--quiet"], folder)
    assert done.returncode == 0, done.stderr
    assert list((folder / "demo/adamw").glob("*.average.caffemodel"))


def test_the_example_in_lua_trains(seed_example: tuple[Path, list[str]]) -> None:
    folder, _ = seed_example
    train, infer = [command for command in commands(README) if "lua" in " ".join(command)]
    done = protonet([*train[1:], "--quiet"], folder)
    assert done.returncode == 0, done.stderr
    answer = protonet(infer[1:], folder).stdout
    found = np.array(re.findall(r"\d\.\d+", answer), float)
    np.testing.assert_allclose(found, 0.5, atol=0.02)


def test_the_example_for_caffe_trains(seed_example: tuple[Path, list[str]], tmp_path: Path) -> None:
    folder, _ = seed_example
    shutil.copytree(ROOT / "examples/prototxt/gradients", tmp_path / "here")
    shutil.copytree(folder / "demo/data", tmp_path / "here/data")
    done = protonet(["train", "--solver", "solver.prototxt", "--quiet"], tmp_path / "here")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "here/gradients_iter_150.caffemodel").exists()


def test_the_readme_lists_the_layers_that_there_are() -> None:
    (row,) = re.findall(r"\| Layers \| .*? of its forks: (.*?); all fillers", README)
    assert [name.split(" ")[0] for name in row.split(", ")] == layer_types()


def test_the_recipe_for_a_layer_works() -> None:
    code = "".join(blocks(CONTRIBUTING, "python"))
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stderr


def test_contributing_gives_a_reason_for_every_dependency() -> None:
    project = (ROOT / "pyproject.toml").read_text()
    (listed,) = re.findall(r"\ndependencies = \[\n(.*?)\]", project, re.DOTALL)
    for name in re.findall(r'"([a-z]+)', listed):
        assert re.search(rf"^\| {name}\b", CONTRIBUTING, re.MULTILINE), name


@pytest.mark.parametrize("path", sorted(ROOT.glob("*.md")) + sorted(ROOT.glob("docs/**/*.md")))
def test_links_lead_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", path.read_text()):
        assert (path.parent / target).exists(), target


DESIGN = sorted((ROOT / "docs/design").glob("*.md"))
MAIN_PATH = (ROOT / "docs/design/main-path.md").read_text()


def test_the_floors_are_those_that_are_enforced() -> None:
    enforced = [set(names) for names in reversed(FLOORS)]
    for text in (MAIN_PATH, CONTRIBUTING):
        (line,) = re.findall(r"`(cli, web > [^`]*)`", text)
        assert [set(names.split(", ")) for names in line.split(" > ")] == enforced


def test_the_layer_contract_is_the_one_in_the_code() -> None:
    (block,) = blocks(MAIN_PATH, "python")
    source = inspect.getsource(Layer)
    contract = source[source.index("# The contract.") : source.index("# Helpers.")]
    names = re.findall(r"def (\w+)", contract)
    shown = dict(re.findall(r"def (\w+)\(([^)]*)\)", block))
    assert list(shown) == names
    for name, given in shown.items():
        assert given.split(", ") == list(inspect.signature(getattr(Layer, name)).parameters)
    assert len(names) == 8
    assert len(fields(Traits)) == 17  # what the text counts


def test_folders_in_the_picture_of_the_data_exist() -> None:
    picture = (ROOT / "docs/images/way-of-the-data.svg").read_text()
    named = re.findall(r">(protonet/[\w/]+)<", picture)
    assert len(named) > 10
    assert [name for name in named if not (ROOT / name).is_dir()] == []
    assert "(../images/way-of-the-data.svg)" in MAIN_PATH


@pytest.mark.parametrize("page", DESIGN, ids=lambda page: page.stem)
def test_files_that_the_design_names_exist(page: Path) -> None:
    """Below the repository, ``protonet/``, its kernels or its page."""
    ours = re.findall(r"`([a-z_]\w*(?:/\w+)+\.(?:py|cu|cpp|h|cuh|md))`", page.read_text())
    roots = [ROOT, *(ROOT / "protonet" / each for each in ("", "kernels", "web"))]
    assert [name for name in ours if not any((root / name).is_file() for root in roots)] == []
