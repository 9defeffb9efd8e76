#!/usr/bin/env bash
# plyvel 1.5.1 (with the LevelDB in its wheel), seen on Linux with CPython 3.11:
#
# A database of 20 records in one block, of which one byte was changed, is read by DB.iterator() as
# a database without records. No exception is raised, with verify_checksums=True and
# paranoid_checks=True neither, forwards and backwards. DB.raw_iterator() raises CorruptionError at
# the same place, and DB.get() does so too.
#
# Expected: CorruptionError from all of them, since verify_checksums=True asks for it. Whoever
# copies or trains on a LevelDB by its iterator does not learn that records are missing.
#
# Fails when plyvel behaves otherwise.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet plyvel==1.5.1
cd "$folder"
venv/bin/python - <<'PYTHON'
from pathlib import Path

import plyvel

with plyvel.DB("db", create_if_missing=True) as db:
    for number in range(20):
        db.put(b"%08d" % number, b"x" * 50)
    db.compact_range()
(table,) = Path("db").glob("*.ldb")
data = bytearray(table.read_bytes())
data[20] ^= 0xFF
table.write_bytes(data)


def outcome(call):
    try:
        return call()
    except plyvel.CorruptionError:
        return "CorruptionError"


def first(db):
    iterator = db.raw_iterator(verify_checksums=True)
    iterator.seek_to_first()
    return iterator.valid()


with plyvel.DB("db", paranoid_checks=True) as db:
    seen = {
        "records by iterator()": outcome(
            lambda: len(list(db.iterator(verify_checksums=True)))
        ),
        "records by iterator(reverse=True)": outcome(
            lambda: len(list(db.iterator(verify_checksums=True, reverse=True)))
        ),
        "raw_iterator().seek_to_first()": outcome(lambda: first(db)),
        "get(key)": outcome(lambda: db.get(b"00000000", verify_checksums=True)),
    }
for name, value in seen.items():
    print(f"{name}: {value}")
expected = [0, 0, "CorruptionError", "CorruptionError"]
assert list(seen.values()) == expected, f"expected {expected}"
PYTHON
