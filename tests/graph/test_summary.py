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
    # data, label, scale, output, loss; gradients of output and loss; 3 copies of 42 parameters
    assert summary.training_bytes == 4 * (60 + 6 + 60 + 6 + 1 + 6 + 1 + 3 * 42)
    assert summary.inference_bytes < summary.training_bytes
