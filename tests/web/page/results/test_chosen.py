"""Every form of data set has its tests."""

from __future__ import annotations

from typing import get_args

import pytest

from protonet.web.datasets.databases import Form
from protonet.web.page.results.chosen import MODULES


@pytest.mark.parametrize("form", get_args(Form))
def test_every_form_has_a_module(form: Form) -> None:
    module = MODULES[form]
    assert callable(module.test_one)
    assert module.MANY.told
    assert callable(module.show)
