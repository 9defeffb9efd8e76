"""What cannot be, from outside: one message, soon, and next to no memory, whoever is asked."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.graph.test_capacity import huge_text
from tests.layers.test_limits import CONVOLUTION, IMAGE, PRODUCT, text_of

LOSS = 'layer { name: "loss" type: "Reduction" bottom: "y" top: "loss" loss_weight: 1 }\n'
CASES = {
    "input": (text_of("dim: 2147483648 dim: 2147483648"), 3, "a blob has at most 2^31 - 1"),
    "num_output": (
        text_of("dim: 2 dim: 3", PRODUCT.format(2**31 - 1)),
        3,
        'layer "p" (InnerProduct): top 0 of shape 2x2147483647 would have',
    ),
    "axes": (text_of("dim: 1 " * 70), 3, "70 axes; a blob has at most 32"),
    "pad": (text_of(IMAGE, CONVOLUTION.format("pad: 4294967295")), 3, "expected a pad of at most"),
    "memory": (huge_text(), 6, 'layer "ip0" (InnerProduct)'),
    "empty": ("", 3, "is empty"),
    "rubbish": ("layer { name: 3 type\n}}}", 3, "net.prototxt:1:15: "),
    "nesting": ("layer { " * 20_000, 3, "net.prototxt:1:807: "),
}
SOLVER = 'net: "net.prototxt" base_lr: 0.1 lr_policy: "fixed" max_iter: 1 snapshot_prefix: "s"'
CODE = "import protonet.pycaffe as caffe; caffe.Net('net.prototxt', caffe.TRAIN)"
COMMANDS = {
    "check": ("-m", "protonet", "check", "net.prototxt"),
    "train": ("-m", "protonet", "train", "--solver", "solver.prototxt"),
    "pycaffe": ("-c", CODE),
}


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("case", CASES)
def test_one_message_soon_and_in_little_memory(case: str, command: str, tmp_path: Path) -> None:
    text, code, told = CASES[case]
    whole = text if case in ("memory", "empty", "rubbish", "nesting", "axes") else text + LOSS
    (tmp_path / "net.prototxt").write_text(whole)
    (tmp_path / "solver.prototxt").write_text(SOLVER)
    found, seconds, megabytes = run(COMMANDS[command], tmp_path)
    assert told in found.stderr, found.stderr
    assert megabytes < 300
    assert seconds < 5  # of the processor; most of it goes into loading
    if command == "pycaffe":
        assert found.returncode == 1
    else:
        assert found.returncode == code
        assert "Traceback" not in found.stderr
    assert not list(tmp_path.glob("runs/*"))


def run(
    arguments: tuple[str, ...], folder: Path
) -> tuple[subprocess.CompletedProcess[str], float, float]:
    """What a process said, the seconds that it took of the processor, and its most memory in MB."""
    measured = (
        "import resource, subprocess, sys;"
        "done = subprocess.run(sys.argv[1:]);"
        "used = resource.getrusage(resource.RUSAGE_CHILDREN);"
        "print('\\n', used.ru_utime + used.ru_stime, used.ru_maxrss / 1000);"
        "sys.exit(done.returncode)"
    )
    found = subprocess.run(
        [sys.executable, "-c", measured, sys.executable, *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    seconds, megabytes = map(float, found.stdout.splitlines()[-1].split())
    return found, seconds, megabytes
