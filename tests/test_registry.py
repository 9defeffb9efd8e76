"""Tables of classes."""

import pytest

from protonet.registry import Registry


def test_a_class_is_found_and_knows_its_name() -> None:
    shapes: Registry[type] = Registry("shape", "type")

    @shapes.register("Round")
    class Circle:
        type = ""

    shapes.register("Angular")(type("Square", (), {}))
    assert shapes["Round"] is Circle
    assert Circle.type == "Round"
    assert shapes.names() == ["Angular", "Round"]


def test_a_second_class_of_a_name_is_refused() -> None:
    shapes: Registry[type] = Registry("shape", "type")
    shapes.register("Round")(type("Circle", (), {}))
    with pytest.raises(ValueError, match=r"shape 'Round' is registered twice: .*Circle.*Ball"):
        shapes.register("Round")(type("Ball", (), {}))
    assert shapes["Round"].__name__ == "Circle"
