"""The explorer of the API opens, from this server alone."""

from __future__ import annotations

from tests.web.browser import Walker


def test_the_documentation_of_the_api_opens(walker: Walker) -> None:
    walker.goto("/docs")
    walker.sees("/api/datasets/gradients")
