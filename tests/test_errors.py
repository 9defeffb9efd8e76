"""How mistakes are shown, and what a near name is."""

import pytest

from protonet import errors
from protonet.errors import Mistake, NetworkError, nearest


def test_a_mistake_shows_its_line_and_a_caret_under_the_place() -> None:
    mistake = Mistake("no field 'botom'", "net.prototxt", 3, 4, "\t  botom: 1", "try 'bottom'")
    assert str(mistake) == (
        "net.prototxt:3:4: no field 'botom'\n    \t  botom: 1\n    \t  ^\n    try 'bottom'"
    )


def test_a_mistake_without_a_place_is_its_message() -> None:
    assert str(Mistake("nothing here")) == "nothing here"


def test_a_network_error_shows_every_mistake() -> None:
    error = NetworkError([Mistake("one", "f", 1, 2), Mistake("two", "f", 3)])
    assert str(error) == "f:1:2: one\nf:3: two"
    assert NetworkError("plain").mistakes == (Mistake("plain"),)


@pytest.mark.parametrize(
    ("name", "suffix"),
    [("inerproduct", "; did you mean 'InnerProduct'?"), ("Zebra", "")],
)
def test_nearest(name: str, suffix: str) -> None:
    assert nearest(name, ["Power", "InnerProduct"]) == suffix


def test_every_kind_of_error_has_its_own_exit_code() -> None:
    kinds = [
        kind
        for kind in vars(errors).values()
        if isinstance(kind, type)
        and issubclass(kind, errors.ProtonetError)
        and "exit_code" in vars(kind)  # others are of the kind that they derive from
        and kind is not errors.LayerError  # the plan turns it into a NetworkError
    ]
    codes = [kind.exit_code for kind in kinds]
    assert len(set(codes)) == len(codes)
    assert errors.LayerError.exit_code == errors.NetworkError.exit_code


def test_the_middle_of_an_overlong_word_is_left_out() -> None:
    rubbish = "x" * 200 + "y" * 3_000_000 + "z" * 100
    short = "x" * 200 + "..." + "z" * 100
    assert str(Mistake(f"no field {rubbish} here", hint=f"or {rubbish}")) == (
        f"no field {short} here\n    or {short}"
    )
    path = "/".join(["folder"] * 50)
    assert str(Mistake(f"{path}: no")) == f"{path}: no"


def test_a_name_of_millions_of_letters_is_near_to_none() -> None:
    assert nearest("InnerProduct" * 1_000_000, ["InnerProduct"]) == ""
