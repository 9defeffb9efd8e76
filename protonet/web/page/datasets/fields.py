"""Fields of the forms that create data sets."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from nicegui import ui
from starlette.datastructures import UploadFile

from protonet.web.datasets.forms import NamedForm
from protonet.web.page.file_field import FileField
from protonet.web.page.parts import NumberField, notify_errors, run_in_thread
from protonet.web.store import Job

FITS = {
    "squash": "Squash",
    "crop": "Crop",
    "fill": "Fill",
    "half-crop": "Half crop, half fill",
}
ENCODINGS = {None: "Pixels", "png": "PNG", "jpg": "JPEG"}
OWN_ENCODINGS = {"own": "As their files", **ENCODINGS}
F = TypeVar("F", bound=NamedForm)


class Fields:
    """The fields of a form, by the names of its values."""

    def __init__(self) -> None:
        self._made: dict[str, Any] = {}

    def text(self, name: str, label: str, value: str = "", told: str = "") -> None:
        """A text; an empty one is no value."""
        field = ui.input(label, value=value).props("outlined dense").classes("field")
        if told:
            field.props(f'hint="{told}"')
        self._made[name] = field

    def number(self, name: str, label: str, value: float | None, **options: Any) -> None:
        """A number; 2.5 for an integer is left for validation."""
        field = NumberField(label, value=value, **options).props("outlined dense").classes("field")
        self._made[name] = field

    def choice(self, name: str, label: str, options: Mapping[Any, str], value: Any) -> None:
        """One of several values."""
        field = ui.select(dict(options), value=value, label=label)
        self._made[name] = field.props("outlined dense").classes("field")

    def check(self, name: str, label: str) -> None:
        """Yes or no."""
        self._made[name] = ui.checkbox(label)

    def values(self) -> dict[str, Any]:
        """The values by their names; without empty fields, which have their defaults."""
        return {
            name: field.value
            for name, field in self._made.items()
            if isinstance(field, ui.select) or field.value not in ("", None)
        }


def submit_button(
    form: type[F],
    values: Callable[[], Mapping[str, Any]],
    make: Callable[[F], Job],
    text: str = "Create data set",
) -> None:
    """A button that validates the values, makes the job on a thread, and shows its page."""

    async def submit() -> None:
        with notify_errors():
            job = await run_in_thread(make, form.model_validate(values()))
            ui.navigate.to(f"/datasets/{job.id}")

    ui.button(text, on_click=submit)


class Upload:
    """A field for one small file, such as a list."""

    def __init__(self, label: str, most: int, accept: str = ".csv,.txt") -> None:
        self.data: bytes | None = None
        FileField(label, self._take, most=most, accept=accept)

    async def _take(self, files: Sequence[UploadFile]) -> None:
        for each in files:
            self.data = await each.read()
