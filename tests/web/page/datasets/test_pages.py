"""The addresses of data sets."""

from __future__ import annotations

from tests.web.browser import Walker


def test_one_that_is_not_there(walker: Walker) -> None:
    walker.goto("/datasets/nope")
    walker.sees("there is no job 'nope'")
