"""How long importing protonet and showing its help take, each in a fresh process."""

from __future__ import annotations

import argparse
import platform
import statistics
import subprocess
import sys
import time

import protonet

CASES = {
    "python -c pass": ["-c", "pass"],
    "import protonet": ["-c", "import protonet"],
    "protonet --help": ["-m", "protonet", "--help"],
    "protonet train --help": ["-m", "protonet", "train", "--help"],
}


def seconds(arguments: list[str]) -> float:
    """Wall time of one process."""
    began = time.perf_counter()
    subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


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
    for name, found in times.items():
        print(f"{name:24} {1000 * statistics.median(found):6.0f} ms (median of {rounds})")


if __name__ == "__main__":
    main()
