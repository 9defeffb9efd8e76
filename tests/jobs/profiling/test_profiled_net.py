"""Nets to profile: their data, their random inputs, their rule."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from protonet.errors import NetworkError, UsageError
from protonet.jobs.profiling.profiled_net import (
    ProfileOptions,
    default_solver,
    net_of_solver,
    open_profiled,
    read_solver_only,
)
from protonet.proto.caffe_pb2 import TEST, TRAIN
from protonet.proto.text import NetDefinition, Source, read_net

DIGITS = Path(__file__).parents[2] / "golden" / "digits"
CLASSES = """
layer { name: "in" type: "Input" top: "data" top: "label" top: "word" top: "on"
  input_param { shape { dim: 40 dim: 3 } shape { dim: 40 } shape { dim: 40 dim: 2 }
    shape { dim: 40 } } }
layer { name: "ip" type: "InnerProduct" bottom: "data" top: "ip"
  inner_product_param { num_output: 5 weight_filler { type: "xavier" } } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" top: "loss" }
layer { name: "embed" type: "Embed" bottom: "word" top: "embed"
  embed_param { input_dim: 9 num_output: 4 } }
layer { name: "filter" type: "Filter" bottom: "embed" bottom: "on" top: "kept" }
"""


def definition(text: str) -> NetDefinition:
    return read_net(Source("net.prototxt", text))


def test_random_inputs_are_classes_where_classes_are_read() -> None:
    net, rule = open_profiled(definition(CLASSES), ProfileOptions())
    data, label, word, on = (net.blobs[name].data for name in ("data", "label", "word", "on"))
    assert abs(data.mean()) < 0.5 < data.std()
    assert set(label) == {0, 1, 2, 3, 4}
    assert set(word.ravel()) == set(range(9))
    assert not on.any()
    assert rule is not None
    net.forward()
    assert np.isfinite(net.loss())
    net.close()


def test_scores_of_one_axis_have_one_class() -> None:
    text = """
    layer { name: "in" type: "Input" top: "x" top: "label"
      input_param { shape { dim: 4 dim: 3 } shape { dim: 4 } } }
    layer { name: "a" type: "Accuracy" bottom: "x" bottom: "label" top: "a" }
    layer { name: "s" type: "Silence" bottom: "a" }
    """
    net, rule = open_profiled(definition(text), ProfileOptions(phase=TEST))
    assert rule is None
    assert net.blobs["label"].data.max() <= 2


def test_a_solver_file_names_its_net(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(DIGITS)
    path = Path("solver.prototxt")
    found, solver, level, stages = net_of_solver(path, TRAIN)
    assert (solver.test_iter[:], level, list(stages)) == ([3], 0, [])
    assert read_solver_only(path).max_iter == solver.max_iter
    net, rule = open_profiled(found, ProfileOptions(weights="digits_iter_200.caffemodel"), solver)
    assert rule is not None
    net.close()
    assert net_of_solver(path, TEST)[0].source.name == found.source.name
    (tmp_path / "s.prototxt").write_text(
        'net: "train_val.prototxt" max_iter: 5 base_lr: 0.1 lr_policy: "fixed"'
    )
    with pytest.raises(UsageError, match="has no test net"):
        net_of_solver(tmp_path / "s.prototxt", TEST)


def test_what_is_opened_is_closed_after_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(DIGITS)
    bad = default_solver("SGD")
    bad.iter_size = 0
    given = read_net(Source.read("train_val.prototxt"))
    with pytest.raises(NetworkError, match="iter_size must be at least 1"):
        open_profiled(given, ProfileOptions(), bad)
    net, _ = open_profiled(given, ProfileOptions(), default_solver("AdaGrad"))
    net.close()
