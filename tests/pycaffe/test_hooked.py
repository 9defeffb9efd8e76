"""Hooks are called with the number of a layer, in the order in which they were given."""

from __future__ import annotations

from protonet.pycaffe.hooked import Hooked


class Walk(Hooked):
    """Notes when what hooks wrote is taken back."""

    def __init__(self) -> None:
        self._hooks = {}
        self.seen: list[object] = []

    def _flush(self) -> None:
        self.seen.append("flush")


def test_what_a_hook_wrote_is_taken_back_before_the_next_is_called() -> None:
    walk = Walk()
    walk.after_forward(lambda layer: walk.seen.append(("first", layer)))
    walk.after_forward(lambda layer: walk.seen.append(("second", layer)))
    walk.before_backward(lambda layer: walk.seen.append(("other", layer)))
    walk._call("after_forward", 3)
    assert walk.seen == [("first", 3), "flush", ("second", 3), "flush"]
    walk._call("before_forward", 4)
    assert walk.seen[4:] == []
    walk._call("before_backward", 2)
    assert walk.seen[4:] == [("other", 2), "flush"]
