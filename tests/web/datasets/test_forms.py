"""The bounds of the forms of data sets."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from protonet.web.datasets.forms import GradientsForm, VectorsForm


def test_sizes_and_sides() -> None:
    assert GradientsForm().count == 100
    with pytest.raises(ValidationError, match="less than or equal to 10000"):
        GradientsForm(width=100_000)
    with pytest.raises(ValidationError, match="both width and height"):
        VectorsForm(name="v", width=3)
