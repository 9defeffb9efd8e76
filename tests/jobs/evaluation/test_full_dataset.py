"""Each record of a set once."""

from __future__ import annotations

from protonet.jobs.evaluation.full_dataset import FullDataset
from protonet.train.events import Output


def test_means_of_full_batches_and_of_the_rest() -> None:
    whole = FullDataset(10, 4)
    assert (whole.batches, whole.rest) == (2, 2)
    loss, (output,) = whole.mean((1.0, [Output("a", 2.0, 1.0)]), (6.0, [Output("a", 7.0, 1.0)]))
    assert (loss, output.value, output.loss_weight) == (2.0, 3.0, 1.0)
