"""The tree knows where everything stands."""

from __future__ import annotations

import pytest

from protonet.proto.tree import Entry, Scalar, find, is_dummy, parse_tree

TEXT = """name: 'net' # a comment
layer { bottom: ["a", "b"]; bottom: "c",
  power_param < scale: -.5e3 power: 0x10 > type: "Po" 'wer' }
layer: { phase: TRAIN x: - inf list: [] items: [{ y: 1f }, { y: 2 }] }
"""


def test_every_form_of_the_text_format() -> None:
    syntax = parse_tree(TEXT)
    assert syntax.faults == []
    name, first, second = syntax.entries
    assert name == Entry("name", (1, 1), value=Scalar("STRING", "'net'", (1, 7)))
    assert first.children is not None
    assert [child.name for child in first.children] == [
        "bottom", "bottom", "bottom", "power_param", "type"
    ]  # fmt: skip
    assert [child.in_list for child in first.children][:3] == [True, True, False]
    power = first.children[3].children
    assert power is not None
    assert [child.value.text for child in power if child.value] == ["-.5e3", "0x10"]
    assert second.children is not None
    assert [child.name for child in second.children] == ["phase", "x", "items", "items"]


@pytest.mark.parametrize(
    ("path", "place"),
    [
        (("name",), (1, 7)),
        (("layer", 0), (2, 1)),
        (("layer", 0, "bottom", 1), (2, 23)),
        (("layer", 0, "bottom", 2), (2, 37)),
        (("layer", 0, "power_param", "scale"), (3, 24)),
        (("layer", 0, "power_param", "shift"), (3, 3)),
        (("layer", 1, "items", 1, "y"), (4, 65)),
        (("layer", 5), None),
        (("layer", 0, "bottom", 9), (2, 1)),
        ((), None),
    ],
)
def test_find_gives_the_longest_part_that_exists(
    path: tuple[str | int, ...], place: tuple[int, int] | None
) -> None:
    assert find(parse_tree(TEXT).entries, path) == place


def test_an_unreadable_value_is_marked() -> None:
    syntax = parse_tree("a: ")
    assert syntax.faults[0][1] == "the text ends in the middle of a field"
    (entry,) = syntax.entries
    assert entry.value is not None
    assert is_dummy(entry.value)


def test_too_many_faults_end_the_reading() -> None:
    assert len(parse_tree("@ " * 1000).faults) == 100
