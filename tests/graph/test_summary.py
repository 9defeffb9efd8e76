"""The table of layers."""

from protonet.graph.summary import summarize
from tests.graph.nets import SEED, plan_of


def test_rows_counts_and_memory_of_the_seed_net() -> None:
    summary = summarize(plan_of(SEED))
    hidden = summary.rows[2]
    assert (hidden.name, hidden.type, hidden.parameters) == ("hidden", "InnerProduct", 42)
    assert hidden.bottoms == (("scale", (3, 1, 4, 5)),)
    assert hidden.tops == (("output", (3, 2)),)
    assert summary.parameters == 42
    # blobs lie on multiples of 16: scale, output, loss; gradients of output and loss
    blobs = 60 + 6 + (64 + 16 + 1) + 1
    # and what Net asks of its layers: a product of weights, sums, a difference, a factor
    assert summary.training.blobs <= 4 * (blobs + 16)
    assert summary.training.parameters == summary.training.gradients == 4 * 42
    assert summary.training_bytes == summary.training.total + 2 * 4 * 42
    assert summary.inference_bytes < summary.training_bytes
