"""Modules of modules."""

from __future__ import annotations

import pytest

from protonet.errors import LayerError
from protonet.torch7.objects import TorchObject
from tests.torch7.trees import call, nn, sequential


def test_add_appends_and_returns_the_container() -> None:
    net = nn("Sequential")
    linear = nn("Linear", 2, 2)
    assert call(net, "add", linear) is net
    assert net.fields["modules"].sequence == [linear]


@pytest.mark.parametrize("odd", [None, 3, TorchObject("torch.Timer")])
def test_only_modules_are_added(odd: object) -> None:
    with pytest.raises(LayerError, match=r"expected a module|no module 'torch.Timer'"):
        sequential(odd)  # type: ignore[arg-type]
