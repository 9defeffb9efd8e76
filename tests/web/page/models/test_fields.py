"""Fields: what is typed becomes the values of a form, and mistakes are told by their label."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from nicegui import Client, ui
from nicegui.page import page

from protonet.web.page.models.fields import Fields, listed


@pytest.fixture
def slot() -> Iterator[None]:
    with Client(page("/")), ui.column():
        yield


@pytest.mark.usefixtures("slot")
def test_values_are_read_as_they_are_typed() -> None:
    fields = Fields({"lrs": [0.1, 0.01], "keep": 3, "policy": "gone", "fuse": False, "name": ""})
    fields.text("name", "Name", "model")
    fields.numbers("lrs", "Rates")
    fields.number("keep", "Keep", whole=True)
    fields.number("gamma", "Gamma")
    fields.choice("policy", "Policy", {None: "usual", "step": "Step"})
    fields.check("fuse", "Fuse", usual=True)
    assert fields.values() == {
        "name": "model", "lrs": [0.1, 0.01], "keep": 3, "gamma": None, "policy": None,
        "fuse": False,
    }  # fmt: skip
    fields.shown["gamma"].value = " 0.5 "
    fields.shown["keep"].value = ""
    assert (fields.values()["gamma"], fields.values()["keep"]) == (0.5, None)


@pytest.mark.usefixtures("slot")
@pytest.mark.parametrize(
    ("typed", "message"),
    [
        ("2.5", "Keep: expected whole numbers, got '2.5'"),
        ("3, 4", "Keep: expected one number, got '3, 4'"),
        ("few", "Keep: expected whole numbers, got 'few'"),
    ],
)
def test_what_is_no_number(typed: str, message: str) -> None:
    fields = Fields({})
    fields.number("keep", "Keep", whole=True).value = typed
    with pytest.raises(ValueError, match=message):
        fields.values()


def test_numbers_as_text() -> None:
    assert listed([0.1, 1e-7, 16]) == "0.1, 1e-07, 16"
