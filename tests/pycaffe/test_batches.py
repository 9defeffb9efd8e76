"""Arrays are cut into batches, and what comes of them is as long as they were."""

from __future__ import annotations

import numpy as np

from protonet.pycaffe.batches import batches_of, trimmed


def test_the_last_batch_is_filled_up_with_zeros() -> None:
    given = {"data": np.arange(1, 11).reshape(5, 2), "label": [6, 7, 8, 9, 10]}
    batches = [{name: a.tolist() for name, a in each.items()} for each in batches_of(given, 3)]
    assert batches == [
        {"data": [[1, 2], [3, 4], [5, 6]], "label": [6, 7, 8]},
        {"data": [[7, 8], [9, 10], [0, 0]], "label": [9, 10, 0]},
    ]


def test_a_last_batch_that_is_full_stays_as_it_is() -> None:
    assert [each["x"].tolist() for each in batches_of({"x": [1, 2, 3, 4]}, 2)] == [[1, 2], [3, 4]]


def test_what_was_filled_up_is_cut_off_again() -> None:
    rows = [np.array([each]) for each in range(6)]
    found = trimmed({"y": rows, "loss": rows[:2]}, {"data": np.zeros((5, 2))})
    assert found["y"].tolist() == [[0], [1], [2], [3], [4]]
    assert found["loss"].tolist() == [[0], [1]]
