"""How far answers in float32 are from float64: protonet as it answers, beside onnxruntime.

    python benchmarks/accuracy.py [--only NAME,...] [--folder FOLDER]

The norm of the difference of the outputs at batch 1, relative to the norm in float64, which the
definitions of the layers compute. The folder has the files of ``engines.py --prepare``.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from cases import CASES
from engine_models import inputs_file, model_file
from machine import keep_to_cores
from onnxruntime_side import Inference as Other
from protonet.device import Device
from protonet.formats.caffemodel import open_weights
from protonet.graph.net import Net
from protonet.graph.planning import plan_net
from protonet.proto.caffe_pb2 import TEST
from protonet.proto.text import Source, read_net
from protonet_deployed_side import Inference as Ours
from report import number_text, table

_HERE = Path(__file__).parent


def exact(model: Path, values: np.ndarray) -> np.ndarray:
    """The answer in float64, without compiled kernels."""
    plan = plan_net(read_net(Source.read(model)), phase=TEST, stages=["deploy"])
    net = Net(plan, Device(tuned=False), dtype=np.float64, packed=True, gradients=False)
    net.load(open_weights(model.with_name("net.caffemodel")), str(model))
    net.inputs["data"].data[...] = values
    net.forward()
    ((_, found, _),) = net.outputs()
    net.close()
    return found


def distance(found: np.ndarray, expected: np.ndarray) -> float:
    """The norm of the difference, relative to that of what is expected."""
    apart = np.linalg.norm(found.astype(np.float64).reshape(expected.shape) - expected)
    return float(apart / np.linalg.norm(expected))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", type=lambda text: text.split(","), default=["inception_v3"])
    parser.add_argument("--folder", type=Path, default=_HERE.parent / "build" / "engines")
    asked = parser.parse_args()
    keep_to_cores()
    rows = []
    for name in asked.only:
        case = CASES[name]
        model = model_file(asked.folder, case, "protonet", 1)
        values = np.load(inputs_file(asked.folder, case, 1))
        expected = exact(model, values)
        found = []
        for side, path in (
            (Ours, model),
            (Other, model_file(asked.folder, case, "onnxruntime", 1)),
        ):
            job = side(path, values, "float32", 2)
            job.run()
            found.append(distance(job.output(), expected))
        rows.append([case.title, *(f"{each:.2e}" for each in found)])
        rows[-1].append(number_text(found[0] / found[1], " x"))
    print(table(["network", "protonet", "onnxruntime", "ratio"], rows))


if __name__ == "__main__":
    main()
