"""Events are values."""

import dataclasses

import pytest

from protonet.train import events


def test_every_event_is_frozen_and_compares_by_value() -> None:
    one, same = events.Ticked(3, 0.5), events.Ticked(3, 0.5)
    assert one == same
    with pytest.raises(dataclasses.FrozenInstanceError):
        one.iteration = 4
