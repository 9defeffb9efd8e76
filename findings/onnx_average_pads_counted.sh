#!/usr/bin/env bash
# OpenCV 4.14.0 (opencv-python-headless 4.14.0.94) and MNN 3.6.1, beside onnxruntime 1.32.0, seen on
# Linux with CPython 3.11:
#
# An ONNX model of one AveragePool of 3 x 3, stride 2, with padding of 1 at the end of both axes and
# count_include_pad = 1, on a plane of 4 x 4 ones: ONNX counts the padding, so that the answer is 1,
# 6/9, 6/9, 4/9, and onnxruntime says so. OpenCV's dnn module and MNN, which reads what its converter
# makes, answer 1 everywhere: they divide by what of the window is in the plane, as with
# count_include_pad = 0. Neither says a word, and the shapes are right. With padding of 1 all around
# and stride 1, MNN counts it and OpenCV still does not.
#
# A model that was exported with this attribute gives other scores there. Where the padding is that of
# Caffe's rounding up, count_include_pad = 0 with the same padding is Caffe's average everywhere.
#
# MNN's function of conversion is called directly; its command mnnconvert does more than convert.
#
# Fails when one of them behaves otherwise.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet MNN==3.6.1 onnx==1.23.2 numpy==2.4.6
"$folder/venv/bin/python" -m pip install --quiet onnxruntime==1.32.0 opencv-python-headless==4.14.0.94
cd "$folder"
venv/bin/python - <<'PYTHON'
import subprocess
import sys

import cv2
import MNN
import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper

ones = np.ones((1, 1, 4, 4), np.float32)
convert = "import sys, _tools; _tools.mnnconvert(sys.argv)"
kind = MNN.Tensor_DimensionType_Caffe


def answers(stride, pads):
    """onnxruntime's, OpenCV's and MNN's, flat."""
    node = helper.make_node(
        "AveragePool", ["x"], ["y"],
        kernel_shape=[3, 3], strides=[stride] * 2, pads=pads, count_include_pad=1,
    )
    shape = (1, 1, 4 // stride, 4 // stride)
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ones.shape)
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, shape)
    graph = helper.make_graph([node], "net", [x], [y])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, "net.onnx")

    session = onnxruntime.InferenceSession("net.onnx", providers=["CPUExecutionProvider"])
    yield session.run(None, {"x": ones})[0].ravel()

    net = cv2.dnn.readNetFromONNX("net.onnx")
    net.setInput(ones)
    yield net.forward().ravel()

    given = ["-f", "ONNX", "--modelFile", "net.onnx", "--MNNModel", "net.mnn", "--bizCode", "x"]
    subprocess.run([sys.executable, "-c", convert, *given], check=True, stdout=subprocess.DEVNULL)
    interpreter = MNN.Interpreter("net.mnn")
    session = interpreter.createSession({"backend": "CPU", "precision": "high"})
    given = MNN.Tensor(ones.shape, MNN.Halide_Type_Float, ones, kind)
    interpreter.getSessionInput(session).copyFrom(given)
    interpreter.runSession(session)
    made = MNN.Tensor(shape, MNN.Halide_Type_Float, np.zeros(shape, np.float32), kind)
    interpreter.getSessionOutput(session).copyToHostTensor(made)
    yield np.array(made.getNumpyData()).ravel()


right, opencv, mnn = answers(2, [0, 0, 1, 1])
print(f"at the end: onnxruntime {right}, OpenCV {opencv}, MNN {mnn}")
np.testing.assert_allclose(right, [1, 2 / 3, 2 / 3, 4 / 9], rtol=1e-6)
np.testing.assert_allclose(opencv, np.ones(4), rtol=1e-6)
np.testing.assert_allclose(mnn, np.ones(4), rtol=1e-6)
right, opencv, mnn = answers(1, [1, 1, 1, 1])
print(f"around, a corner: onnxruntime {right[0]:.3f}, OpenCV {opencv[0]:.3f}, MNN {mnn[0]:.3f}")
edge = np.array([2, 3, 3, 2]) / 3
np.testing.assert_allclose(right, np.outer(edge, edge).ravel(), rtol=1e-6)
np.testing.assert_allclose(opencv, np.ones(16), rtol=1e-6)
np.testing.assert_allclose(mnn, right, rtol=1e-6)
PYTHON
