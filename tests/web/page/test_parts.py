"""Numbers and times as people read them; mistakes as messages."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from protonet.errors import UsageError
from protonet.web.datasets.forms import GradientsForm
from protonet.web.page.parts import duration, message_of, number, page_of
from protonet.web.store import DATASET, TRAINING, Job
from tests.web.browser import Walker


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(None, ""), (3.4, "3 s"), (184, "3 min 4 s"), (7500, "2 h 5 min")],
)
def test_durations(seconds: float | None, told: str) -> None:
    assert duration(seconds) == told


def test_numbers_and_places() -> None:
    assert number(None) == "\u2013"
    assert number(0.000123456) == "0.0001235"
    assert page_of(Job("x", DATASET, "d")) == "/datasets/x"
    assert page_of(Job("x", TRAINING, "d")) == "/jobs/x"


def test_messages() -> None:
    assert message_of(UsageError("plain")) == "plain"
    with pytest.raises(ValidationError) as caught:
        GradientsForm(width=0)
    assert message_of(caught.value).startswith("width: ")


def test_a_mistake_is_a_message_on_the_page(walker: Walker) -> None:
    walker.goto("/datasets/new")
    walker.form("Databases").get_by_role("button", name="Use these databases").click()
    walker.sees("train_images: Field required")
    walker.page.get_by_role("button", name="Close").click()
