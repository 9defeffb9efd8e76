"""What whole processes take: memory of one that opens a network, and an answer from the start."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import numpy as np
from PIL import Image

from cases import CASES, Case
from engine_models import inputs_file, model_file
from machine import clean_environment
from processes import Engine

STARTED = "googlenet"
"""The network that is asked from the start of a process."""
_HERE = Path(__file__).parent


def peaks(
    folder: Path, case: Case, engines: Iterable[str], precision: str
) -> dict[str, tuple[float, float]]:
    """MiB after the imports and at the peak, of a fresh process for each engine at batch 1.

    Engines that cannot run the network are left out: its times name them.
    """
    found = {}
    for name in engines:
        with Engine(name, precision) as engine, suppress(RuntimeError):
            model, inputs = model_file(folder, case, name, 1), inputs_file(folder, case, 1)
            engine.ask("inference", model=str(model), inputs=str(inputs))
            engine.ask("run", iterations=3)
            imported, peak = engine.ask("memory")
            found[name] = (imported, peak)
    return found


def kinds(folder: Path, case: Case) -> dict[str, tuple[float, int]]:
    """Seconds and operations of protonet's layers at batch 1, by their kind."""
    model = model_file(folder, case, "protonet", 1)
    command = [sys.executable, str(_HERE / "engine_layers.py"), str(model)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, env=clean_environment())
    found: dict[str, tuple[float, int]] = json.loads(done.stdout)
    return found


def starts(folder: Path, rounds: int) -> dict[str, list[tuple[float, float]]]:
    """Processor and wall seconds from the start to an answer, a pair for each round.

    A round before them fills the caches of files and bytecode.
    """
    place = folder / STARTED
    image = place / "image.png"
    pixels = np.random.default_rng(1).integers(0, 256, (*CASES[STARTED].image[1:], 3), np.uint8)
    Image.fromarray(pixels).save(image)
    ours = ["-m", "protonet", "infer", str(place / "deploy-1.prototxt"), str(image)]
    commands = {
        "protonet": [*ours, "--weights", str(place / "net.caffemodel")],
        "onnxruntime": [str(_HERE / "onnxruntime_infer.py"), str(place / "net.onnx"), str(image)],
    }
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}
    for _ in range(rounds + 1):
        for name, command in commands.items():
            found[name].append(_seconds(command))
    return {name: each[1:] for name, each in found.items()}


def _seconds(command: list[str]) -> tuple[float, float]:
    """Processor and wall seconds of a Python process and those that it started."""
    began = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, *command], stdout=subprocess.DEVNULL, env=clean_environment()
    )
    _, status, used = os.wait4(process.pid, 0)
    took = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return used.ru_utime + used.ru_stime, took
