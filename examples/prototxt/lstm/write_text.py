"""Let a trained character LSTM write: python write_text.py MODEL BEGINNING [BYTES]."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from protonet.device import Device
from protonet.formats.caffemodel import read_weights
from protonet.graph.net import Net
from protonet.graph.planning import plan_net
from protonet.proto.caffe_pb2 import TEST
from protonet.proto.text import Source, read_net

NETWORK = Path(__file__).with_name("net.prototxt")


def continue_text(model: Path, beginning: bytes, count: int, seed: int = 0) -> bytes:
    """``count`` bytes that follow ``beginning`` (not empty), each drawn by the net's chances."""
    plan = plan_net(read_net(Source.read(NETWORK)), phase=TEST, stages=["deploy"])
    net = Net(plan, Device("cpu"))
    net.load(read_weights(model), str(model))
    generator = np.random.default_rng(seed)
    text = bytearray(beginning)
    for place in range(len(beginning) + count - 1):
        net.blobs["data"].data[...] = text[place]
        net.blobs["cont"].data[...] = place > 0
        net.forward()
        if place + 1 == len(text):
            chances = net.blobs["softmax"].data.ravel().astype(np.float64)
            text.append(generator.choice(256, p=chances / chances.sum()))
    return bytes(text[len(beginning) :])


if __name__ == "__main__":
    model, beginning = Path(sys.argv[1]), sys.argv[2].encode()
    written = continue_text(model, beginning, int(sys.argv[3]) if len(sys.argv) > 3 else 500)
    print((beginning + written).decode(errors="replace"))
