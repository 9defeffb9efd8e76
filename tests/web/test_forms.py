"""Forms: nothing unknown; their errors name the field."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from protonet.web.forms import ChangeForm, form_errors, numbers


def test_unknown_fields_are_told_by_name() -> None:
    with pytest.raises(ValidationError) as caught:
        ChangeForm.model_validate({"name": "", "surprise": 1})
    told = form_errors(caught.value.errors())
    assert told.splitlines()[0].startswith("name: String should have at least 1 character")
    assert "surprise: Extra inputs are not permitted" in told


def test_lists_as_people_type_them() -> None:
    assert numbers("0.1, 0.01;1", float) == [0.1, 0.01, 1.0]
    assert numbers(" ", int) == []
    with pytest.raises(ValueError, match="x"):
        numbers("x", int)
