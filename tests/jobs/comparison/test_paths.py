"""Paths as short as they still differ."""

from __future__ import annotations

from protonet.jobs.comparison.paths import is_path, short_paths


def test_as_many_components_as_are_needed() -> None:
    assert short_paths(["/a/b/train"]) == {"/a/b/train": "train"}
    assert short_paths(["/a/b/train", "/a/c/train", "/a/c/train"]) == {
        "/a/b/train": "b/train", "/a/c/train": "c/train",
    }  # fmt: skip
    assert short_paths(["/x", "x", "y"]) == {"/x": "/x", "x": "x", "y": "y"}
    assert short_paths(["a//b", "a/b"]) == {"a//b": "a//b", "a/b": "a/b"}
    assert short_paths([]) == {}


def test_what_is_a_path() -> None:
    assert [is_path(each) for each in ("a/b", "/a", "a", 3, None, ["a/b"])] == [
        True, True, False, False, False, False,
    ]  # fmt: skip
