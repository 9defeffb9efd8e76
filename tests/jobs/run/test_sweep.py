"""Sweeps: every rate with every size, told apart by what differs."""

from __future__ import annotations

from protonet.jobs.run.sweep import sweep


def test_one_training_needs_no_name() -> None:
    assert sweep([0.01], []) == [("", 0.01, None)]
    assert sweep([0.01], [8]) == [("", 0.01, 8)]


def test_several_rates_and_sizes() -> None:
    assert sweep([0.1, 0.01], [4, 8]) == [
        ("lr 0.1 batch 4", 0.1, 4), ("lr 0.1 batch 8", 0.1, 8),
        ("lr 0.01 batch 4", 0.01, 4), ("lr 0.01 batch 8", 0.01, 8),
    ]  # fmt: skip
    assert sweep([0.1, 0.01], [8]) == [("lr 0.1", 0.1, 8), ("lr 0.01", 0.01, 8)]
