"""What a training needs to go on as if it had not stopped."""

from __future__ import annotations

from protonet.proto.caffe_pb2 import TEST
from protonet.train.resume import restore_resume_state, resume_state
from protonet.train.smoothing import SmoothedLoss
from tests.graph.nets import SEED, net_of


def test_what_was_kept_is_taken_up() -> None:
    net, test, smoothed = net_of(SEED), net_of(SEED, TEST), SmoothedLoss(4)
    net.clock.iteration, test.clock.iteration = 7, 3
    smoothed.add(2.0)
    smoothed.add(4.0)
    state = resume_state(net, [test], smoothed, None)
    assert set(state) == {"net", "tests", "losses"}
    fresh, fresh_test, fresh_smoothed = net_of(SEED), net_of(SEED, TEST), SmoothedLoss(4)
    restore_resume_state(state, fresh, [fresh_test], fresh_smoothed, None)
    assert (fresh.clock.iteration, fresh_test.clock.iteration) == (7, 3)
    assert fresh_smoothed.value == 3.0
