"""The forms of the page and of the API, with their limits and defaults."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from protonet.jobs.evaluation.detection import SCORE

N = TypeVar("N", int, float)

Name = Annotated[str, Field(min_length=1, max_length=200)]
Place = Annotated[str, Field(min_length=1, max_length=4000, description="A file or folder.")]
Group = Annotated[str, Field(max_length=200, description="A group of jobs; empty for none.")]
Pixels = Annotated[int, Field(ge=1, le=10_000)]
Seed = Annotated[int, Field(ge=0, lt=2**32)]
Share = Annotated[float, Field(ge=0, lt=1)]


class Form(BaseModel):
    """A form that forbids unknown fields."""

    model_config = ConfigDict(extra="forbid")


class ChangeForm(Form):
    """The changeable fields of a job."""

    name: Name | None = None
    notes: Annotated[str, Field(max_length=20_000)] | None = None
    group: Group | None = None


class BulkForm(Form):
    """An action on several jobs: stop them, delete them, or put them into a group."""

    action: Literal["stop", "delete", "group"]
    jobs: Annotated[list[Annotated[str, Field(max_length=64)]], Field(max_length=100_000)]
    group: Group = ""


class TestForm(Form):
    """Images on the server for a test: a database; for classes and numbers a folder or a list of
    files, too.

    ``labels`` is the database of their label vectors, or of the classes of their pixels; ``most``
    limits the number of images.
    """

    __test__ = False  # not a test of pytest

    path: Place
    labels: Place | None = None
    snapshot: Annotated[str, Field(pattern=r"^(best|last|\d{1,12})$")] = "last"
    most: Annotated[int, Field(ge=1, le=10**9)] | None = None


class SummaryQuery(Form):
    """Of boxes, those with the score ``threshold`` or a higher one count in shares and mistakes."""

    threshold: Annotated[float, Field(ge=0, le=1)] = SCORE


class ImagesQuery(SummaryQuery):
    """A page of the images of a test.

    ``order``: of classes ``wrong`` (the surest first), ``cell`` of the confusion matrix (``truth``,
    ``predicted``), ``likeliest`` (the greatest score of ``predicted`` first); ``worst`` of numbers
    (the farthest off first), of boxes (most mistakes first) and of pixels (the lowest mean IoU
    first; with ``cell``, the most pixels of it first); ``all`` as they are stored.
    """

    order: Literal["wrong", "cell", "likeliest", "worst", "all"] = "all"
    truth: Annotated[int, Field(ge=0)] | None = None
    predicted: Annotated[int, Field(ge=0)] | None = None
    offset: Annotated[int, Field(ge=0)] = 0
    count: Annotated[int, Field(ge=1, le=200)] = 24


def numbers(text: str, kind: Callable[[str], N]) -> list[N]:
    """Parse a comma-separated list.

    Raises:
        ValueError: for anything but numbers.
    """
    return [kind(part) for part in text.replace(";", ",").split(",") if part.strip()]


def form_errors(errors: Any) -> str:
    """The validation errors of a form, a line for each field."""
    lines = []
    for each in errors:
        place = ".".join(str(part) for part in each["loc"] if part not in ("body", "query"))
        lines.append(f"{place or 'request'}: {each['msg']}")
    return "\n".join(lines[:20])
