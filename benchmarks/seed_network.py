"""The seed network at batch 10: protonet's training loop and the same arithmetic in bare NumPy.

Both sides run on one core, in alternating rounds, on decoded data. Prints iterations per second
and the ratio of each round.
"""

from __future__ import annotations

import os
import sys

# Before NumPy is loaded: one thread, and no choice of kernels made by the environment.
_WANTED = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
if os.environ.get("OPENBLAS_CORETYPE") or any(os.environ.get(k) != v for k, v in _WANTED.items()):
    _environment = {k: v for k, v in os.environ.items() if k != "OPENBLAS_CORETYPE"}
    os.execve(sys.executable, [sys.executable, *sys.argv], _environment | _WANTED)

import argparse
import json
import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

import protonet
from protonet.data.create import create_gradients
from protonet.device import Device
from protonet.graph.net import Net
from protonet.graph.planning import plan_net
from protonet.proto.caffe_pb2 import TRAIN, SolverParameter
from protonet.proto.text import Source, read_net
from protonet.train.trainer import Trainer

BATCH, RATE, MOMENTUM, DECAY = 10, 0.01, 0.9, 0.0001

NET = """
layer {{ name: "data" type: "Data" top: "data"
  transform_param {{ mean_file: "{0}/train_mean.binaryproto" }}
  data_param {{ source: "{0}/train_images" batch_size: 10 backend: LMDB }} }}
layer {{ name: "label" type: "Data" top: "label"
  data_param {{ source: "{0}/train_labels" batch_size: 10 backend: LMDB }} }}
layer {{ name: "scale" type: "Power" bottom: "data" top: "scale" power_param {{ scale: 0.004 }} }}
layer {{ name: "hidden" type: "InnerProduct" bottom: "scale" top: "output"
  inner_product_param {{ num_output: 2 }} }}
layer {{ name: "loss" type: "EuclideanLoss" bottom: "output" bottom: "label" top: "loss" }}
"""


def protonet_loop(folder: Path) -> tuple[Callable[[int], None], Net]:
    """The loop of protonet, as ``protonet train`` runs it between two displays."""
    net = Net(plan_net(read_net(Source("seed", NET.format(folder))), phase=TRAIN), Device("cpu"))
    solver = SolverParameter(
        base_lr=RATE,
        lr_policy="fixed",
        momentum=MOMENTUM,
        weight_decay=DECAY,
        max_iter=2**31 - 1,
    )
    return Trainer(solver, net, alone=True).advance, net


def bare_loop(net: Net) -> Callable[[int], None]:
    """The same arithmetic by hand: no layers, no graph, every array allocated once."""
    source = net.layers[0], net.layers[1]
    images = np.empty((100, 2500), np.float32)
    labels = np.empty((100, 2), np.float32)
    for row in range(0, 100, BATCH):
        for layer, store in zip(source, (images, labels), strict=True):
            layer.forward([], [store[row : row + BATCH].reshape(BATCH, 1, *layer.infer([])[0][2:])])
    w, b = np.zeros((2, 2500), np.float32), np.zeros(2, np.float32)
    dw, db = np.empty_like(w), np.empty_like(b)
    hw, hb = np.zeros_like(w), np.zeros_like(b)
    x = np.empty((BATCH, 2500), np.float32)
    y, d = np.empty((BATCH, 2), np.float32), np.empty((BATCH, 2), np.float32)
    scratch_w = np.empty_like(w)

    def advance(iterations: int) -> None:
        for iteration in range(iterations):
            row = iteration * BATCH % 100
            np.multiply(images[row : row + BATCH], 0.004, x)
            np.matmul(x, w.T, y)
            np.add(y, b, y)
            np.subtract(y, labels[row : row + BATCH], d)
            loss = float(np.dot(d.ravel(), d.ravel())) / (2 * BATCH)
            assert loss < 10
            np.multiply(d, 1 / BATCH, d)
            np.matmul(d.T, x, dw)
            np.sum(d, axis=0, out=db)
            np.multiply(w, DECAY, scratch_w)
            for parameter, gradient, history in ((w, dw, hw), (b, db, hb)):
                if parameter is w:
                    np.add(gradient, scratch_w, gradient)
                history *= MOMENTUM
                gradient *= RATE
                history += gradient
                parameter -= history

    return advance


def rate(advance: Callable[[int], None], iterations: int) -> float:
    """Iterations per second of one round."""
    began = time.perf_counter()
    advance(iterations)
    return iterations / (time.perf_counter() - began)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--iterations", type=int, default=20_000)
    parser.add_argument("--json", action="store_true", help="print the list of ratios alone")
    options = parser.parse_args()
    say = (lambda _: None) if options.json else print
    say(f"{platform.platform()}, {platform.processor() or platform.machine()}, one core")
    say(
        f"Python {platform.python_version()}, NumPy {np.__version__}, "
        f"protonet {protonet.__version__}"
    )
    with tempfile.TemporaryDirectory() as folder:
        create_gradients(Path(folder) / "data", 50, 50, 100, 20, seed=1)
        loop, net = protonet_loop(Path(folder) / "data")
        bare = bare_loop(net)
        ratios = []
        for _ in range(options.rounds):
            a, b = rate(loop, options.iterations), rate(bare, options.iterations)
            ratios.append(a / b)
            say(f"protonet {a:8.0f} it/s   bare NumPy {b:8.0f} it/s   ratio {a / b:.2f}")
        say(f"median ratio {statistics.median(ratios):.2f}")
        net.close()
    if options.json:
        print(json.dumps(ratios))


if __name__ == "__main__":
    main()
