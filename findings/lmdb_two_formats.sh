#!/usr/bin/env bash
# py-lmdb 3.0.0 and 2.3.0, seen on Linux with CPython 3.11:
#
# py-lmdb 3 holds two LMDB libraries, 0.9 and 1.0, which write two formats of files. With
# LMDB_DEFAULT_LIB_VERSION=1 in the environment new databases are those of 1.0; without it those of
# 0.9. py-lmdb 3 reads both, whatever the variable says. py-lmdb 2.3.0, which holds LMDB 0.9.35,
# calls a healthy database of 1.0 no database at all: InvalidError, "MDB_INVALID: File is not an LMDB
# file", and not VersionMismatchError, which is there for files of another version. py-lmdb 3.0.0
# says the same where lib_version=0 asks for the older library.
#
# Programs on LMDB 0.9 (Caffe among them) read what py-lmdb 3 writes only where the variable is not
# set.
#
# Fails when one of them behaves otherwise.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
for version in 3.0.0 2.3.0; do
  "$folder/venv/bin/python" -m pip install --quiet --target "$folder/lmdb-$version" "lmdb==$version"
done
cd "$folder"
cat > write.py <<'PYTHON'
import sys

import lmdb

with lmdb.open(sys.argv[1], map_size=1 << 20) as environment:
    with environment.begin(write=True) as transaction:
        transaction.put(b"key", b"value")
PYTHON
cat > read.py <<'PYTHON'
import sys

import lmdb

options = {"lib_version": int(sys.argv[2])} if len(sys.argv) > 2 else {}
try:
    with lmdb.open(sys.argv[1], readonly=True, lock=False, **options) as environment:
        with environment.begin() as transaction:
            print(transaction.get(b"key"))
except lmdb.Error as error:
    print(f"{type(error).__name__}: {error}")
PYTHON
unset LMDB_DEFAULT_LIB_VERSION
PYTHONPATH=lmdb-3.0.0 venv/bin/python write.py old
LMDB_DEFAULT_LIB_VERSION=1 PYTHONPATH=lmdb-3.0.0 venv/bin/python write.py new

check() { # what, seen, expected
  echo "$1: $2"
  [[ "$2" == "$3" ]] || { echo "expected: $3"; exit 1; }
}
invalid="InvalidError: new: MDB_INVALID: File is not an LMDB file"
read_with() { PYTHONPATH="lmdb-$1" venv/bin/python read.py "${@:2}"; }
check "2.3.0 reads the format of 0.9" "$(read_with 2.3.0 old)" "b'value'"
check "2.3.0 reads the format of 1.0" "$(read_with 2.3.0 new)" "$invalid"
check "3.0.0 reads the format of 0.9" "$(read_with 3.0.0 old)" "b'value'"
check "3.0.0 reads the format of 1.0" "$(read_with 3.0.0 new)" "b'value'"
check "3.0.0 with lib_version=0 reads the format of 1.0" "$(read_with 3.0.0 new 0)" "$invalid"
