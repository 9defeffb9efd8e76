#!/usr/bin/env bash
# NumPy 2.4.6, seen on Linux with CPython 3.11:
#
# numpy.load(file, allow_pickle=False) of an .npy file with one changed byte in its header (a brace
# that is never closed) raises tokenize.TokenError. The documentation of numpy.load lists OSError,
# UnpicklingError, ValueError and EOFError, and numpy.lib.format.read_array ValueError for data that
# is invalid; a header that is damaged in another place does raise ValueError. A program that
# catches what is documented ends in a traceback.
#
# Fails when NumPy behaves otherwise.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet numpy==2.4.6
"$folder/venv/bin/python" - <<'PYTHON'
import io
import tokenize

import numpy as np

whole = io.BytesIO()
np.save(whole, np.arange(6.0).reshape(2, 3))
raw = whole.getvalue()


def outcome(old, new):
    assert raw.count(old) == 1
    try:
        return np.load(io.BytesIO(raw.replace(old, new)), allow_pickle=False)
    except Exception as error:
        return type(error)


seen = {
    "a brace in place of a blank": outcome(b"'fortran_order': F", b"'fortran_order':{F"),
    "a letter that is none": outcome(b"'descr'", b"\xd7descr'"),
}
for name, value in seen.items():
    print(f"{name}: {value.__module__}.{value.__name__}")
raises = np.load.__doc__.partition("Raises")[2].partition("See Also")[0]
print("documented:", [word for word in raises.split() if word.endswith("Error")])
assert list(seen.values()) == [tokenize.TokenError, ValueError]
assert "TokenError" not in raises
assert not issubclass(tokenize.TokenError, (OSError, ValueError, EOFError))
PYTHON
