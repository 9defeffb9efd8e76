"""What ``protonet infer`` does with an image, as one writes it for onnxruntime.

``python onnxruntime_infer.py MODEL IMAGE``
"""

from __future__ import annotations

import sys

import numpy as np
import onnxruntime as ort
from PIL import Image

options = ort.SessionOptions()
options.intra_op_num_threads = 2
session = ort.InferenceSession(sys.argv[1], options, providers=["CPUExecutionProvider"])
(given,) = session.get_inputs()
height, width = given.shape[2:]
image = Image.open(sys.argv[2]).convert("RGB").resize((width, height))
pixels = np.asarray(image, np.float32)[:, :, ::-1].transpose(2, 0, 1)[np.newaxis]
(scores,) = session.run(None, {given.name: np.ascontiguousarray(pixels)})
for place in scores[0].argsort()[:-6:-1]:
    print(f"{scores[0][place]:.4f} {place}")
