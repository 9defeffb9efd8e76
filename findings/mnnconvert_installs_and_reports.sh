#!/usr/bin/env bash
# MNN 3.6.1 (PyPI), seen on Linux with CPython 3.11:
#
# The command `mnnconvert`, which converts a model, runs `pip install -U aliyun-log-python-sdk` when
# that package is not there: of whichever pip is first in PATH, which may be another environment's.
# MNN/tools/utils/log.py does it when it is imported, by os.system. With the package installed, it
# fetches temporary credentials from a server whose name it keeps in base64, and sends it the
# machine's id (/etc/machine-id), the system, the arguments of the command and the sizes of the
# models. --help does not mention it, and no option turns it off. A conversion by the extension
# module itself (_tools.mnnconvert) does neither.
#
# Here a stand-in for pip comes first in PATH, and notes what it is asked; nothing is installed or
# sent.
#
# Fails when the command installs nothing any more, or the function does.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet MNN==3.6.1 numpy==2.4.6 onnx==1.23.2
cd "$folder"
venv/bin/python - <<'PYTHON'
import onnx
from onnx import TensorProto, helper

x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 4]) for name in "xy")
graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "net", [x], [y])
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
onnx.save(model, "net.onnx")
PYTHON
mkdir first
printf '#!/bin/sh\necho "pip $*" >>%s/asked\n' "$folder" >first/pip
chmod +x first/pip
export PATH="$folder/first:$PATH"
options=(-f ONNX --modelFile net.onnx --MNNModel net.mnn --bizCode x)

venv/bin/python -c 'import sys, _tools; _tools.mnnconvert(sys.argv)' "${options[@]}" >/dev/null
test -s net.mnn
test ! -e asked
echo "the function asks pip for nothing"

rm net.mnn
venv/bin/mnnconvert "${options[@]}" >/dev/null 2>&1
test -s net.mnn
echo "the command runs: $(sort -u asked)"
test "$(sort -u asked)" = "pip install -U aliyun-log-python-sdk"
log=$(echo venv/lib/python*/site-packages/MNN/tools/utils/log.py)
grep -q machine-id "$log"
grep -q put_logs "$log"
