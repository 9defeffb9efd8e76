"""The names of translated layers."""

from __future__ import annotations

from protonet.torch7.layer_names import Names


def test_each_stem_counts_by_itself_and_leaves_out_what_is_taken() -> None:
    names = Names(taken={"Linear2"})
    assert [names.new("Linear"), names.new("ReLU"), names.new("Linear")] == [
        "Linear1",
        "ReLU1",
        "Linear3",
    ]
