"""Who may share memory, and that sharing never changes a number."""

from __future__ import annotations

from protonet.graph.memory import lay_out
from protonet.graph.plan import Plan
from protonet.proto.caffe_pb2 import TEST
from tests.graph.nets import FAN_OUT, plan_of


def storages(plan: Plan, **options: bool) -> dict[str, list[int]]:
    layout = lay_out(plan, **options)
    found: dict[str, list[int]] = {}
    for value in plan.values:
        found.setdefault(value.name, []).append(layout.storage[value])
    return found


CHAIN = """
layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 2 dim: 3 dim: 4 } } }
layer { name: "ip" type: "InnerProduct" bottom: "x" top: "h" inner_product_param { num_output: 5 } }
layer { name: "one" type: "%s" bottom: "h" top: "h" }
layer { name: "two" type: "%s" bottom: "h" top: "h" %s }
layer { name: "end" type: "Reduction" bottom: "h" top: "y" loss_weight: 1 }
"""


def chain(one: str, two: str, more: str = "") -> Plan:
    text = (CHAIN % (one, two, more)).replace('type: "Reduction"', 'type: "Power"')
    return plan_of(text)


def test_an_in_place_layer_that_needs_only_its_top_overwrites() -> None:
    plan = chain("ReLU", "Dropout")
    assert len(set(storages(plan, gradients=False)["h"])) == 1


def test_a_layer_that_reads_its_top_in_backward_keeps_it() -> None:
    plan = chain("ReLU", "Power", "power_param { power: 2 }")
    first, relu, power = storages(plan, gradients=True, packed=True)["h"]
    assert first == relu != power


def test_a_name_is_one_array_and_what_backward_reads_is_copied() -> None:
    plan = chain("ReLU", "Power", "power_param { power: 2 }")
    assert len(set(storages(plan, gradients=True)["h"])) == 1
    layout = lay_out(plan, gradients=True)
    rectified = plan.steps[2].tops[0]
    assert layout.save_before == {3: (rectified,)}, "ReLU reads its top, Power its bottom"
    assert set(layout.saved_data) == {rectified}
    assert not lay_out(plan, gradients=False).save_before


def test_without_gradients_every_in_place_layer_overwrites() -> None:
    plan = chain("ReLU", "Power", "power_param { power: 2 }")
    assert len(set(storages(plan, gradients=False)["h"])) == 1


def test_an_input_is_never_overwritten() -> None:
    plan = plan_of(
        'layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 2 dim: 3 } } }'
        'layer { name: "r" type: "ReLU" bottom: "x" top: "x" }',
        TEST,
    )
    assert len(set(storages(plan, gradients=False, packed=True)["x"])) == 2
    assert len(set(storages(plan, gradients=False)["x"])) == 1


def test_a_value_that_another_layer_reads_later_is_kept() -> None:
    plan = plan_of(
        'layer { name: "in" type: "Input" top: "i" input_param { shape { dim: 2 dim: 3 } } }'
        'layer { name: "p" type: "Power" bottom: "i" top: "x" }'
        'layer { name: "v" type: "Flatten" bottom: "x" top: "view" }'
        'layer { name: "r" type: "ReLU" bottom: "x" top: "x" }'
        'layer { name: "q" type: "Power" bottom: "view" top: "q" }',
        TEST,
    )
    found = storages(plan, gradients=False, packed=True)
    assert found["view"] == found["x"][:1]
    assert found["x"][0] != found["x"][1]
    named = storages(plan, gradients=False)
    assert named["x"][0] == named["x"][1] != named["view"][0]


def test_lives_that_do_not_overlap_share_an_arena() -> None:
    text = 'layer { name: "in" type: "Input" top: "v0" input_param { shape { dim: 7 dim: 11 } } }'
    for i in range(10):
        text += f'layer {{ name: "p{i}" type: "Power" bottom: "v{i}" top: "v{i + 1}" }}'
    plan = plan_of(text, TEST)
    layout = lay_out(plan, gradients=False, packed=True)
    assert layout.bytes <= 4 * 320 < sum(layout.sizes)
    lives = {layout.storage[v]: v for v in plan.values}
    for a, one in lives.items():
        for b, two in lives.items():
            at, other = layout.offsets[a], layout.offsets[b]
            if a == b or at is None or other is None or abs(one.producer - two.producer) > 1:
                continue
            assert at + layout.sizes[a] <= other or other + layout.sizes[b] <= at


def test_diffs_exist_where_gradients_go_and_in_place_ones_are_one_array() -> None:
    plan = plan_of(FAN_OUT)
    layout = lay_out(plan, gradients=True)
    first, second = (value for value in plan.values if value.name == "h")
    assert layout.diff_storage[first] == layout.diff_storage[second]
    assert plan.values[0] not in layout.diff_storage


def test_a_layer_with_more_bottoms_than_tops_gives_each_a_gradient() -> None:
    plan = plan_of(
        'force_backward: true layer { name: "in" type: "Input" top: "x" top: "s" '
        "input_param { shape { dim: 2 dim: 3 } shape { dim: 3 } } }"
        'layer { name: "scale" type: "Scale" bottom: "x" bottom: "s" top: "x" }'
    )
    layout = lay_out(plan, gradients=True)
    small = next(value for value in plan.values if value.name == "s")
    assert small in layout.diff_storage
