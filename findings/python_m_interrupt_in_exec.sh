#!/usr/bin/env bash
# CPython 3.11, seen on Linux (3.8 to 3.13 as well):
#
# A program that is run by "python -m", catches KeyboardInterrupt and then ends with an exit code of
# its own, is nevertheless ended by SIGINT, and its exit code is lost, if the interrupt arrived
# inside exec() of a text. Dataclasses and named tuples run such an exec when they are made, so
# Ctrl-C during any import can do it. The same file run by its path keeps its exit code, and so does
# the -m program if another exec() ran before its end.
#
# Fails when CPython behaves otherwise.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv --without-pip "$folder/venv"
cat > "$folder/program.py" <<'PYTHON'
import os
import signal
import sys


def interrupted():
    os.kill(os.getpid(), signal.SIGINT)
    while True:  # until the interrupt is raised
        pass


try:
    exec("interrupted()") if "exec" in sys.argv else interrupted()
except KeyboardInterrupt:
    pass
if "again" in sys.argv:
    exec("")
raise SystemExit(3)
PYTHON
cd "$folder"
venv/bin/python - <<'PYTHON'
import subprocess
import sys


def code(*arguments):
    return subprocess.run([sys.executable, *arguments]).returncode


seen = {
    "by its path, inside exec": code("program.py", "exec"),
    "by -m": code("-m", "program"),
    "by -m, inside exec": code("-m", "program", "exec"),
    "by -m, inside exec, and another exec later": code("-m", "program", "exec", "again"),
}
print("CPython", sys.version.split()[0])
for what, value in seen.items():
    print(f"{what}: {value}")
assert list(seen.values()) == [3, 3, -2, 3]
PYTHON
