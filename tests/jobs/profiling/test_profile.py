"""What a profile says of a net whose layers are known."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

from protonet.errors import UsageError
from protonet.jobs.profiling import machine
from protonet.jobs.profiling.profile import profile_net
from protonet.jobs.profiling.profiled_net import ProfileOptions, default_solver, open_profiled
from protonet.proto.caffe_pb2 import TEST
from protonet.proto.text import Source, read_net

DIGITS = Path(__file__).parents[2] / "golden" / "digits"
RANDOM_CROPS = """
layer { name: "data" type: "Data" top: "data" top: "label"
  data_param { source: "train_db" batch_size: 5 threads: 2 } transform_param { mirror: true } }
layer { name: "ip" type: "InnerProduct" bottom: "data" top: "ip"
  inner_product_param { num_output: 10 weight_filler { type: "xavier" } } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" top: "loss" }
"""


@pytest.fixture(autouse=True)
def briefly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "_SECONDS", 0.001)
    monkeypatch.chdir(DIGITS)


def test_every_layer_has_its_times_and_costs() -> None:
    net, rule = open_profiled(read_net(Source.read("train_val.prototxt")), ProfileOptions())
    before = net.store.data.copy()
    found = profile_net(net, rule, iterations=3, passes=2)
    net.close()
    np.testing.assert_allclose(net.store.data, before, rtol=0, atol=1e-4)
    by_name = {layer.name: layer for layer in found.layers}
    data, conv1, relu1 = by_name["digits"], by_name["conv1"], by_name["relu1"]
    assert data.data > 0
    assert (data.forward, data.arithmetic, data.traffic) == (0, 0, 0)
    # Nothing below conv1 wants a gradient: its backward pass is one product, as forward is.
    assert conv1.arithmetic == 2 * (1 + 1) * 2 * 8 * 9 * 50 * 6 * 6
    assert min(conv1.forward, conv1.backward, conv1.update) > 0
    assert relu1.update == 0
    sums = sum(found.sum(kind) for kind in ("data", "forward", "backward", "update"))
    assert sums + found.between == pytest.approx(found.seconds)
    assert sum(layer.seconds for layer in found.layers) == pytest.approx(sums)
    assert (found.images, found.iterations) == (100, 3)
    assert sum(span.kind == "update" for span in found.spans) == 3


def test_updates_are_shared_by_parameters() -> None:
    net, rule = open_profiled(read_net(Source.read("train_val.prototxt")), ProfileOptions())
    found = profile_net(net, rule, iterations=1)
    net.close()
    counts = {name: sum(param.data.size for param in params) for name, params in net.params.items()}
    for layer in found.layers:
        share = counts.get(layer.name, 0) / sum(counts.values())
        assert layer.update == pytest.approx(found.sum("update") * share)


def test_threads_tell_what_they_did() -> None:
    net, rule = open_profiled(
        read_net(Source("net", RANDOM_CROPS)), ProfileOptions(), default_solver("Adam")
    )
    found = profile_net(net, rule, iterations=30)
    net.close()
    (source,) = found.inputs
    assert source.name == "data"
    assert source.worker_times
    assert min(source.reading, source.transforming) > 0
    assert 0 <= source.waited < found.seconds
    assert sum(work.images for work in source.worker_times) % 5 == 0
    assert max(work.began for work in source.worker_times) < time.perf_counter()


def test_in_phase_test_there_is_forward_alone() -> None:
    net, rule = open_profiled(
        read_net(Source.read("train_val.prototxt")), ProfileOptions(phase=TEST)
    )
    found = profile_net(net, rule, iterations=1)
    net.close()
    assert (found.sum("backward"), found.sum("update")) == (0, 0)
    conv1 = next(layer for layer in found.layers if layer.name == "conv1")
    assert conv1.arithmetic == 2 * 8 * 9 * conv1_places(net.plan.steps[1].tops[0].shape)
    with pytest.raises(UsageError, match="expected 1 iteration or more, got 0"):
        profile_net(net, rule, iterations=0)


def conv1_places(shape: tuple[int, ...] | None) -> int:
    assert shape is not None
    return shape[0] * shape[2] * shape[3]


def test_a_net_that_brings_nothing_has_one_image() -> None:
    text = 'layer { name: "p" type: "Parameter" top: "p" parameter_param { shape { dim: 3 } } }'
    net, rule = open_profiled(read_net(Source("net", text)), ProfileOptions())
    assert profile_net(net, rule, iterations=1).images in (1, 3)
