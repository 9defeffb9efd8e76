"""Copies of modules."""

from __future__ import annotations

from protonet.torch7.copying import copied
from protonet.torch7.objects import Function, Table, TorchObject
from tests.torch7.trees import nn, sequential


def test_a_copy_has_its_own_values() -> None:
    one = nn("Linear", 3, 2)
    other = copied(one)
    assert other.fields["weight"].array.tolist() == one.fields["weight"].array.tolist()
    other.fields["weight"].array[...] = 7
    assert (one.fields["weight"].array != 7).all()
    assert "shared" not in other.fields


def test_shared_fields_are_shared_inside_too() -> None:
    one = sequential(nn("Linear", 3, 2), nn("Identity"))
    other = copied(one, ["weight", "gradWeight"])
    first, second = (each.fields["modules"][1].fields for each in (one, other))
    assert first["weight"].place == second["weight"].place
    assert first["weight"] is not second["weight"]
    assert first["bias"].place != second["bias"].place
    assert first["shared"] is second["shared"] is True
    assert "shared" not in other.fields["modules"][2].fields


def test_what_is_one_in_the_original_is_one_in_the_copy() -> None:
    inner, function = nn("Identity"), Function()
    one = TorchObject("nn.X", Table({"a": inner, "b": inner, "f": function, "t": Table({1: 2})}))
    one.fields["self"] = one
    other = copied(one)
    assert other.fields["a"] is other.fields["b"] is not inner
    assert other.fields["self"] is other
    assert other.fields["f"] is function
    assert other.fields["t"] is not one.fields["t"]
    assert other.fields["t"] == {1: 2}
