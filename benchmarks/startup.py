"""Startup time of protonet, each time in a fresh process.

Importing it, showing its help, and ``protonet train`` on the seed network until its first
iteration is reported.
"""

from __future__ import annotations

import argparse
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

import protonet

CASES = {
    "python -c pass": ["-c", "pass"],
    "import protonet": ["-c", "import protonet"],
    "protonet --help": ["-m", "protonet", "--help"],
    "protonet train --help": ["-m", "protonet", "train", "--help"],
}
_NET = Path(__file__).parents[1] / "examples" / "prototxt" / "gradients" / "net.prototxt"


def seconds(arguments: list[str]) -> float:
    """Wall time of one process."""
    began = time.perf_counter()
    subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def first_iteration(rounds: int, environment: Mapping[str, str] | None = None) -> list[float]:
    """Seconds from starting ``protonet train`` on the seed network to its first iteration.

    One training before them fills the caches of files and bytecode.
    """
    found = []
    with tempfile.TemporaryDirectory() as folder:
        protonet_command = [sys.executable, "-m", "protonet"]
        sizes = ["-x", "50", "-y", "50", "-c", "100", "--val-count", "20", "--seed", "1"]
        subprocess.run(
            [*protonet_command, "create-db", "gradients", f"{folder}/data", *sizes],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        command = [*protonet_command, "train", str(_NET), "--data", f"{folder}/data/train_images"]
        command += ["--labels", f"{folder}/data/train_labels", "--batch-size", "10"]
        command += ["--mean", f"{folder}/data/train_mean.binaryproto", "--log-format", "json"]
        for number in range(rounds + 1):
            began = time.perf_counter()
            with subprocess.Popen(
                [*command, "--out", f"{folder}/run{number}"],
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
                env=environment,
            ) as process:
                assert process.stdout is not None
                for line in process.stdout:
                    if '"event": "iterated"' in line:
                        found.append(time.perf_counter() - began)
                        break
                process.communicate()
            if process.returncode or len(found) != number + 1:
                raise RuntimeError(f"{' '.join(command)} ended without an iteration")
    return found[1:]


def main() -> None:
    """Measure in alternating rounds and print medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=11)
    rounds = parser.parse_args().rounds
    print(
        f"{platform.platform()}, Python {platform.python_version()}, "
        f"protonet {protonet.__version__}"
    )
    times: dict[str, list[float]] = {name: [] for name in CASES}
    for _ in range(rounds):
        for name, arguments in CASES.items():
            times[name].append(seconds(arguments))
    times["protonet train, 1st iteration"] = first_iteration(rounds)
    for name, found in times.items():
        print(f"{name:30} {1000 * statistics.median(found):6.0f} ms (median of {rounds})")


if __name__ == "__main__":
    main()
