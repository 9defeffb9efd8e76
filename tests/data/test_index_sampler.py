"""The order of records: wrapping, and a shuffled one for each epoch."""

from __future__ import annotations

import numpy as np

from protonet.data.index_sampler import IndexSampler


def test_by_key_and_wrapping() -> None:
    assert IndexSampler(3).indices(2, 8).tolist() == [2, 0, 1, 2, 0, 1, 2, 0]


def test_shuffled_epochs_hold_every_record_once() -> None:
    order = IndexSampler(7, shuffle=True, seed=3)
    rows = order.indices(0, 21)
    epochs = rows.reshape(3, 7)
    assert all(sorted(epoch.tolist()) == list(range(7)) for epoch in epochs)
    assert (epochs[0] != epochs[1]).any()
    # Asked for in parts, by another object, and with an earlier epoch again.
    again = IndexSampler(7, shuffle=True, seed=3)
    parts = [again.indices(start, 5) for start in (15, 10, 5, 0)]
    np.testing.assert_array_equal(np.concatenate(parts[::-1]), rows[:20])
    assert (IndexSampler(7, shuffle=True, seed=4).indices(0, 7) != rows[:7]).any()
