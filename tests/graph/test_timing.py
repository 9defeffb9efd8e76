"""The spans of an iteration: every call once, in its order."""

from __future__ import annotations

import time

import numpy as np

from protonet.graph.timing import KINDS, Span, seconds_by_step, time_iteration
from protonet.proto.caffe_pb2 import TEST
from tests.graph.nets import FAN_OUT, net_of


def test_an_iteration_is_what_forward_and_backward_compute() -> None:
    plain, timed = net_of(FAN_OUT, seed=2), net_of(FAN_OUT, seed=2)
    plain.forward()
    plain.backward()
    updates: list[int] = []
    before = time.perf_counter()
    spans = time_iteration(timed, lambda: updates.append(1))
    after = time.perf_counter()
    assert timed.loss() == plain.loss()
    np.testing.assert_array_equal(timed.store.diff, plain.store.diff)
    assert timed.clock.iteration == 1
    assert updates == [1]
    assert [span.kind for span in spans] == sorted((span.kind for span in spans), key=KINDS.index)
    forward = [span.step for span in spans if span.kind == "forward"]
    assert forward == list(range(1, len(timed.plan.steps)))  # an Input layer is not called
    backward = [span.step for span in spans if span.kind == "backward"]
    assert backward == sorted(backward, reverse=True)
    assert spans[-1][:2] == ("update", len(timed.plan.steps))
    assert all(span.seconds >= 0 for span in spans)
    edges = [time for span in spans for time in (span.began, span.began + span.seconds)]
    assert edges == sorted(edges)
    assert before <= edges[0]
    assert edges[-1] <= after


def test_without_gradients_there_is_forward_alone() -> None:
    net = net_of(FAN_OUT, phase=TEST)
    assert {span.kind for span in time_iteration(net)} == {"forward"}


def test_seconds_are_summed_by_step() -> None:
    spans = [
        Span("forward", 1, 0.0, 2.0),
        Span("forward", 1, 2.0, 0.5),
        Span("backward", 1, 3.0, 7.0),
        Span("forward", 0, 9.0, 1.0),
        Span("update", 2, 10.0, 4.0),
    ]
    assert seconds_by_step(spans, "forward", 2).tolist() == [1.0, 2.5, 0.0]
    assert seconds_by_step(spans, "update", 2).tolist() == [0.0, 0.0, 4.0]
