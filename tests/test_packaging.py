"""What a wheel holds."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[1]


def built(folder: Path) -> Path:
    """The wheel in the folder PROTONET_WHEEL, as ``.ci/run`` makes it; else a new one."""
    if "PROTONET_WHEEL" in os.environ:
        (wheel,) = (ROOT / os.environ["PROTONET_WHEEL"]).glob("*.whl")
        return wheel
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--quiet",
         "--config-settings=cmake.define.INSTRUCTION_SETS=baseline",
         "--config-settings=cmake.define.CMAKE_CXX_FLAGS_RELEASE=-O0",  # it compiles sooner
         f"--config-settings=build-dir={folder / 'build'}",
         "--wheel-dir", str(folder), str(ROOT)],
        check=True,
    )  # fmt: skip
    (wheel,) = folder.glob("*.whl")
    return wheel


def test_the_wheel_has_code_grammar_pages_schema_and_examples(tmp_path: Path) -> None:
    with zipfile.ZipFile(built(tmp_path)) as archive:
        names = set(archive.namelist())
        archive.extractall(tmp_path / "installed")
    assert {
        "protonet/proto/caffe.binpb",
        "protonet/proto/caffe_pb2.py",
        "protonet/proto/grammar.lark",
        "protonet/py.typed",
        "protonet/pages/layers/Power.md",
        "protonet/pages/caffe.proto",
        "protonet/pages/examples/prototxt/gradients/net.prototxt",
        "protonet/pages/examples/torch7/gradients/net.lua",
    } <= names
    assert any(name.startswith("protonet/kernels/native/baseline.") for name in names)
    assert not any(name.endswith((".cpp", ".h")) for name in names)
    assert not any(name.startswith("tests/") for name in names)
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "from protonet.resources import layer_page; print(layer_page('Power')); "
            "from protonet.kernels.native import baseline; assert baseline.lanes == 4",
        ],
        env={**os.environ, "PYTHONPATH": str(tmp_path / "installed")},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.startswith("# Power")


def extras_named(text: str) -> set[str]:
    """What ``.[one,two]`` and ``protonet[one]`` ask pip for, and what is called an extra."""
    lists = re.findall(r"(?:(?<![\w/])\.|\bprotonet)\[([a-z0-9,]+)\]", text)
    lists += [
        ",".join(re.findall(r"`([a-z0-9]+)`", found))
        for found in re.findall(r"\bextras? ((?:`[a-z0-9]+`(?:, | and )?)+)", text)
    ]
    return {name for found in lists for name in found.split(",")}


def test_extras_are_found_in_every_way_that_they_are_named() -> None:
    text = "`pip install '.[one,two]'`, 'protonet[three]', (extras `four`, `five`), y[six]"
    assert extras_named(text) == {"one", "two", "three", "four", "five"}


def test_every_extra_that_is_named_is_there() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    known = set(extras["optional-dependencies"])
    documents = [
        *ROOT.glob("*.md"),
        ROOT / "Makefile",
        *(ROOT / "docs").rglob("*.md"),
        *(ROOT / "layers").glob("*.md"),
        *(ROOT / "protonet").rglob("*.py"),
    ]
    named = {each: extras_named(each.read_text()) for each in documents}
    assert {"cudnn", "cudnn13", "nccl", "nccl13"} <= named[ROOT / "CONTRIBUTING.md"] <= known
    assert "web" in set().union(*named.values())
    wrong = {str(each): names - known for each, names in named.items() if names - known}
    assert wrong == {}


def test_nccl_is_that_of_the_cuda_of_cupy() -> None:
    """CuPy 14.2 loads NCCL from the package of its own CUDA: 2.18.1 or later for CUDA 12, which it
    was built with 2.25.1 for, and 2.27.7 or later for CUDA 13.
    """
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    assert extras["nccl"] == ["nvidia-nccl-cu12>=2.25.1,<3"]
    assert extras["nccl13"] == ["nvidia-nccl-cu13>=2.27.7,<3"]
    assert extras["cuda12"][0].startswith("cupy-cuda12x[ctk]>=14.2,<15")
    assert extras["cuda13"][0].startswith("cupy-cuda13x[ctk]>=14.2,<15")


def test_the_extras_of_cudnn_are_resolved(tmp_path: Path) -> None:
    """To the cuDNN of either CUDA with its cuBLAS, and one frontend, which needs nothing else. Only
    metadata is fetched.
    """
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    report = tmp_path / "report.json"
    command = [sys.executable, "-m", "pip", "install", "--dry-run", "--quiet", "--ignore-installed"]
    command += ["--only-binary=:all:", "--report", str(report)]
    wanted = {*extras["cudnn"], *extras["cudnn13"]}
    done = subprocess.run([*command, *wanted], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    found = {
        each["metadata"]["name"].lower(): each["metadata"]["version"]
        for each in json.loads(report.read_text())["install"]
    }
    assert found["nvidia-cudnn-cu12"].startswith("9.")
    assert found["nvidia-cudnn-cu13"].startswith("9.")
    assert found["nvidia-cudnn-frontend"].startswith(("1.26.", "1.27.", "1.28."))
    assert {"nvidia-cublas-cu12", "nvidia-cublas"} <= found.keys()
    assert {name for name in found if not name.startswith("nvidia-cu")} == set()
