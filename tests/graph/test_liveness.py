"""When values and gradients are needed."""

from __future__ import annotations

from protonet.graph.memory import Layout, lay_out
from protonet.graph.packing import LiveRanges
from protonet.graph.plan import Plan
from protonet.proto.caffe_pb2 import TEST
from tests.graph.nets import FAN_OUT, SEED, plan_of


def spans(plan: Plan, layout: Layout, name: str) -> LiveRanges | None:
    return layout.live_ranges[layout.storage[plan.last[name]]]


def test_data_lives_to_its_last_reader_of_either_pass() -> None:
    """Steps: in, base, act (in place), left, right, join, loss; step i runs backward at 14 - i."""
    plan = plan_of(FAN_OUT)
    layout = lay_out(plan, gradients=True, packed=True)
    assert spans(plan, layout, "x") is None  # a caller writes it
    assert spans(plan, layout, "h") == ((1, 12),)  # TanH reads its top
    assert spans(plan, layout, "left") == ((3, 5),)  # Concat's gradient looks at nothing
    assert spans(plan, layout, "right") == ((4, 10),)  # Sigmoid reads its top
    assert spans(plan, layout, "loss") == ((6, 15),)  # the trainer reads it


def test_without_gradients_data_lives_to_its_last_reader() -> None:
    plan = plan_of(FAN_OUT, TEST)
    layout = lay_out(plan, gradients=False, packed=True)
    assert spans(plan, layout, "h") == ((1, 5),)
    assert spans(plan, layout, "join") == ((5, 6),)


def test_gradients_live_from_the_first_writer_to_the_producer() -> None:
    plan = plan_of(FAN_OUT)
    layout = lay_out(plan, gradients=True, packed=True)
    found = {
        name: layout.live_ranges[layout.diff_storage[plan.last[name]]] for name in ("join", "left")
    }
    assert found == {"join": ((8, 9),), "left": ((9, 11),)}
    assert layout.live_ranges[layout.diff_storage[plan.last["h"]]] == ((9, 13),)
    assert layout.live_ranges[layout.diff_storage[plan.last["loss"]]] is None  # set once
    assert [layout.live_ranges[at] for at in layout.partial_diffs.values()] == [
        ((11, 11),),
        ((10, 10),),
    ]


def test_a_top_that_gets_no_gradient_keeps_its_zeros() -> None:
    text = (
        SEED.replace('top: "output"', 'top: "whole"')
        + 'layer { name: "cut" type: "Slice" bottom: "whole" top: "output" top: "unread" }'
    )
    text = text.replace('bottom: "output" bottom: "label"', 'bottom: "output" bottom: "short"')
    lines = text.strip().splitlines()
    cut = lines.pop()
    text = (
        "\n".join([*lines[:-2], cut, *lines[-2:]])
        .replace("shape { dim: 3 dim: 2 } }", "shape { dim: 3 dim: 1 } }")
        .replace('top: "label"', 'top: "short"')
    )
    plan = plan_of(text)
    layout = lay_out(plan, gradients=True, packed=True)
    assert layout.live_ranges[layout.diff_storage[plan.last["unread"]]] is None


def test_what_depends_on_the_pass_before_cannot_be_repeated() -> None:
    plan = plan_of(
        'layer { name: "in" type: "Input" top: "x" top: "c" input_param { '
        "shape { dim: 3 dim: 2 dim: 5 } shape { dim: 3 dim: 2 } } }"
        'layer { name: "lstm" type: "LSTM" bottom: "x" bottom: "c" top: "h" '
        "recurrent_param { num_output: 4 } }"
        'layer { name: "ip" type: "InnerProduct" bottom: "h" top: "y" '
        "inner_product_param { num_output: 2 } }"
    )
    assert [step.can_repeat for step in plan.steps] == [False, False, True]
