"""What a run keeps to be asked about images."""

from __future__ import annotations

from protonet.jobs.training.deploy import pruned_note


def test_layers_that_were_left_out_are_named() -> None:
    assert pruned_note(()) == []
    assert pruned_note(("loss", "accuracy")) == [
        'not in deploy.prototxt, because they need labels: "loss", "accuracy"'
    ]
