"""Braces that never close, and those that close nothing."""

from __future__ import annotations

import subprocess
import sys

import pytest

from protonet.proto.braces import balance, too_deep


@pytest.mark.parametrize(
    ("text", "deepest"),
    [("", 0), ("a { b < c { } > }", 3), ("a: '{{{' # {{{\n", 0), ('a: "\\"{" { }', 1)],
)
def test_depth_counts_only_real_braces(text: str, deepest: int) -> None:
    assert too_deep(text, deepest) is None
    if deepest:
        at = too_deep(text, deepest - 1)
        assert at is not None
        assert text[at] in "{<"


def test_a_balanced_text_stays_as_it_is() -> None:
    text = 'layer { a { } }\nlayer < b: "}" > # {'
    found = balance(text)
    assert (found.unclosed, found.stray, found.text) == ((), (), text)


def test_a_layer_in_a_layer_means_a_missing_brace_above() -> None:
    found = balance("layer { a { b: 1 }\nlayer { c: 2 }\n")
    assert [(brace.offset, brace.field) for brace in found.unclosed] == [(6, "layer")]
    assert found.text == "layer { a { b: 1 }}\nlayer { c: 2 }\n"


def test_a_layer_in_layers_is_of_v0() -> None:
    text = "layers { layer { a: 1 } bottom: 2 }\nlayers { layer { a: 3 } }\n"
    found = balance(text)
    assert (found.unclosed, found.stray, found.text) == ((), (), text)
    assert [brace.offset for brace in balance("layers { layer {\nlayer {").unclosed] == [7, 15, 23]


def test_open_braces_at_the_end_are_closed_there() -> None:
    found = balance("layer { a <")
    assert [brace.field for brace in found.unclosed] == ["layer", "a"]
    assert found.text == "layer { a <>}"


def test_a_brace_that_closes_nothing_becomes_a_space() -> None:
    found = balance("a { } } b > c")
    assert [brace.offset for brace in found.stray] == [6, 10]
    assert found.text == "a { }   b   c"


def test_a_string_without_end_does_not_swallow_the_closing_brace() -> None:
    assert balance('a { b: "c }\n').unclosed == ()


def test_a_long_string_takes_next_to_no_memory() -> None:
    code = (
        "import resource\n"
        "from protonet.proto.braces import too_deep\n"
        "from protonet.proto.lexical import as_python_reads\n"
        "text = 'name: \"' + 'a' * 3_000_000 + '\"'\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "too_deep(text, 100), as_python_reads(text)\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)\n"
    )
    taken = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(taken.stdout) < 30_000  # kB; a step back for each letter took 340 MB
