"""From texts to plans: order, gradients and shared parameters, and every mistake at its place."""

from __future__ import annotations

import pytest

from protonet.errors import NetworkError
from protonet.graph.planning import find_mistakes
from protonet.layers.base import LayerContext
from protonet.proto.caffe_pb2 import TEST
from protonet.proto.text import Source, read_net
from tests.graph.nets import FAN_OUT, SEED, plan_of


def test_stages_leave_layers_out() -> None:
    plan = plan_of(SEED, TEST, stages=["deploy"])
    assert [step.name for step in plan.steps] == ["data", "scale", "hidden"]
    assert [value.name for value in plan.outputs] == ["label", "output"]


def test_only_what_lies_above_a_parameter_gets_gradients() -> None:
    plan = plan_of(SEED)
    assert {step.name: step.runs_backward for step in plan.steps} == {
        "data": False,
        "scale": False,
        "hidden": True,
        "loss": True,
    }
    assert plan.steps[3].wanted == (True, False)
    assert plan.steps[2].wanted == (False,)


def test_frozen_parameters_stop_the_gradient() -> None:
    frozen = SEED.replace(
        'top: "output"', 'top: "output" param { lr_mult: 0 } param { lr_mult: 0 }'
    )
    assert not any(step.runs_backward for step in plan_of(frozen).steps)


def test_propagate_down_false_cuts_the_branch() -> None:
    text = FAN_OUT.replace('top: "right"', 'top: "right" propagate_down: false')
    plan = plan_of(text)
    right = next(step for step in plan.steps if step.name == "right")
    assert not right.runs_backward


def test_force_backward_reaches_the_inputs() -> None:
    plan = plan_of("force_backward: true" + SEED)
    assert plan.steps[1].wanted == (True,)
    assert plan.values[0].has_diff


def test_every_mistake_is_found_at_once_and_points_at_its_line() -> None:
    text = """layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 3 dim: 4 } } }
layer { name: "a" type: "InerProduct" bottom: "x" top: "a" }
layer { name: "b" type: "Power" bottom: "y" top: "b" }
layer { name: "c" type: "ReLU" bottom: "x" bottom: "x" top: "c" }
layer { name: "d" type: "InnerProduct" bottom: "x" top: "d" }
layer { name: "e" type: "Power" bottom: "a" top: "e" loss_weight: 1 loss_weight: 2 }
"""
    with pytest.raises(NetworkError) as caught:
        plan_of(text)
    mistakes = caught.value.mistakes
    assert [mistake.line for mistake in mistakes] == [2, 3, 4, 5]
    assert "did you mean 'InnerProduct'?" in mistakes[0].message
    assert mistakes[0].excerpt[mistakes[0].column - 1 :].startswith('"InerProduct"')
    assert "unknown bottom blob 'y'" in mistakes[1].message
    assert "expected 1 bottom blob(s), got 2" in mistakes[2].message
    assert "num_output" in mistakes[3].message


def test_shapes_that_do_not_fit_name_both_blobs_and_their_makers() -> None:
    text = SEED.replace("shape { dim: 3 dim: 2 }", "shape { dim: 3 dim: 7 }")
    with pytest.raises(NetworkError) as caught:
        plan_of(text)
    message = str(caught.value)
    assert 'layer "loss" (EuclideanLoss)' in message
    assert "'output' is 3x2 from layer 'hidden'" in message
    assert "'label' is 3x7 from layer 'data'" in message


SHARED = """
layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 2 dim: 3 } } }
layer { name: "a" type: "InnerProduct" bottom: "x" top: "a" param { name: "w" %s }
  inner_product_param { num_output: 3 bias_term: false } }
layer { name: "b" type: "InnerProduct" bottom: "a" top: "b" param { name: "w" %s }
  inner_product_param { num_output: %d bias_term: false } }
"""


def test_a_named_parameter_has_one_owner_and_its_multipliers() -> None:
    plan = plan_of(SHARED % ("", "lr_mult: 3", 3))
    owner, sharer = plan.steps[1].params[0], plan.steps[2].params[0]
    assert sharer.owner == (1, 0)
    assert owner.lr_mult == sharer.lr_mult == 3


@pytest.mark.parametrize(
    ("first", "second", "outputs", "message"),
    [
        ("", "", 5, "is 5x3 here, but 3x3 in layer 'a'"),
        ("lr_mult: 1", "lr_mult: 2", 3, "has lr_mult 2 here, but 1 in layer 'a'"),
        ("decay_mult: 1", "decay_mult: 0", 3, "has decay_mult 0 here, but 1 in layer 'a'"),
    ],
)
def test_sharers_that_disagree(first: str, second: str, outputs: int, message: str) -> None:
    with pytest.raises(NetworkError, match=message):
        plan_of(SHARED % (first, second, outputs))


def test_permissive_sharing_asks_for_equal_counts_only() -> None:
    text = SHARED.replace("num_output: 3", "num_output: 6") % ("", "share_mode: PERMISSIVE", 3)
    plan = plan_of(text)
    assert plan.steps[2].params[0].owner == (1, 0)


def test_too_many_param_entries() -> None:
    text = SEED.replace('type: "Power"', 'type: "Power" param { lr_mult: 1 }')
    with pytest.raises(NetworkError, match=r"1 param entries for a layer that has 0 parameter"):
        plan_of(text)


def test_loss_weights_of_the_wrong_number() -> None:
    text = SEED.replace('top: "scale"', 'top: "scale" loss_weight: 1 loss_weight: 2')
    with pytest.raises(NetworkError, match="got 2"):
        plan_of(text)


def test_mistakes_without_data() -> None:
    """Types, fields and names are looked at where no shapes are known; the data's blobs are not."""
    text = """
    layer { name: "s" type: "Powr" bottom: "data" top: "s" }
    layer { name: "c" type: "Convolution" bottom: "data" top: "c" convolution_param { } }
    layer { name: "l" type: "EuclideanLoss" bottom: "c" bottom: "labell" top: "l" }
    layer { name: "d" type: "Data" top: "x" data_param { source: "/nowhere" batch_size: 1 } }
    """
    definition = read_net(Source("net.prototxt", text))
    mistakes = find_mistakes(definition, ("data", "label"), LayerContext())
    assert sorted(mistake.line for mistake in mistakes) == [2, 3, 4]
    told = "\n".join(mistake.message for mistake in mistakes)
    for part in ("Powr", "kernel_size", "'labell'"):
        assert part in told


def test_shapes_that_a_text_gives_are_looked_at_without_data() -> None:
    text = """\
layer { name: "given" type: "Input" top: "x" input_param { shape { dim: 1 dim: 1 dim: 8 dim: 8 } } }
layer { name: "wide" type: "Convolution" bottom: "x" top: "y"
  convolution_param { num_output: 1 kernel_size: 3 pad: 4294967295 } }
layer { name: "far" type: "Input" top: "z" input_param { shape { dim: 2147483648 } } }
layer { name: "unknown" type: "Convolution" bottom: "data" top: "d"
  convolution_param { num_output: 1 kernel_size: 3 pad: 4294967295 } }
"""
    definition = read_net(Source("net.prototxt", text))
    mistakes = find_mistakes(definition, ("data",), LayerContext())
    assert [(m.line, m.message.partition("): ")[2][:30]) for m in mistakes] == [
        (3, "expected a pad of at most 2^31"),
        (4, "top 0 of shape 2147483648 woul"),
    ]


def test_nearest_names_are_looked_for_behind_twenty_mistakes_no_more() -> None:
    layers = "".join(f'layer {{ name: "{n}" type: "Powe{n:02}" top: "{n}" }}' for n in range(30))
    with pytest.raises(NetworkError) as caught:
        plan_of(layers)
    told = ["did you mean 'Power'?" in mistake.message for mistake in caught.value.mistakes]
    assert told == [True] * 20 + [False] * 10
