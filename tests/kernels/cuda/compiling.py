"""C++ made into libraries, once for all workers of a test run and for later runs."""

from __future__ import annotations

import ctypes
import getpass
import hashlib
import subprocess
import tempfile
from pathlib import Path

FLAGS = ("-O1", "-std=c++17", "-w", "-shared", "-fPIC")


def libraries() -> Path:
    """Where compiled libraries stay: a folder of this user's in that of temporary files."""
    return Path(tempfile.gettempdir()) / f"protonet-emulated-cuda-{getpass.getuser()}"


def compiled(text: str, folder: Path) -> ctypes.CDLL:
    """The library of a text, from ``folder`` where it is there already.

    Workers may compile the same text at the same time: each does so in a folder of its own, and
    the whole library takes its name at the end. What is under that name is always whole.
    """
    library = folder / f"{hashlib.sha256(text.encode()).hexdigest()[:20]}.so"
    if not library.exists():
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as own:
            unit, made = Path(own) / "unit.cpp", Path(own) / "unit.so"
            unit.write_text(text)
            command = ["g++", *FLAGS, str(unit), "-o", str(made)]
            done = subprocess.run(command, capture_output=True, text=True)
            assert done.returncode == 0, done.stderr
            made.replace(library)
    return ctypes.CDLL(str(library))
