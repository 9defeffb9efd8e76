"""Tests of a trained net on its page: the module of its form, and what all forms share."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from nicegui import ui
from starlette.datastructures import UploadFile

from protonet.errors import UsageError
from protonet.jobs.run.directory import RunDirectory
from protonet.web.datasets.databases import Databases
from protonet.web.page.file_field import FileField
from protonet.web.page.frame import panel
from protonet.web.page.parts import notify_errors, run_in_thread
from protonet.web.site import Site
from protonet.web.store import Job
from protonet.web.uploads import check_image, safe_name

A = TypeVar("A")
_IMAGES = 20
"""Images that are uploaded at once; a folder of more is a test of many."""
_SNAPSHOTS = {"last": "Newest snapshot", "best": "Best snapshot"}


@dataclass(frozen=True)
class Place:
    """What the tests of a training share; ``snapshot`` is the selection of its weights."""

    site: Site
    job: Job
    run: RunDirectory
    snapshot: ui.select

    @property
    def databases(self) -> Databases:
        """The data set of the training."""
        return self.site.databases(self.site.store.get(self.job.needs[0]))


def snapshot_selection(run: RunDirectory) -> ui.select:
    """The selection of the weights."""
    made = ui.select(_SNAPSHOTS, value="last", label="Snapshot").props("outlined dense")
    made.on("popup-show", lambda: _offer(made, run.iterations()))
    return made.classes("field")


def _offer(snapshot: ui.select, iterations: Sequence[int]) -> None:
    """Offer the newest 50 snapshots of now, and the selected one."""
    found = [str(n) for n in reversed(iterations[-50:])]
    if snapshot.value not in (*_SNAPSHOTS, *found):
        found.append(snapshot.value)
    snapshot.set_options({**_SNAPSHOTS, **{n: f"Iteration {n}" for n in found}})


def image_form(
    place: Place, ask: Callable[[RunDirectory, Path, str], A], show: Callable[[A], Any]
) -> None:
    """The form of a single image, on the server or uploaded, and its answer.

    Args:
        place: the training.
        ask: computes the answer for a file with the weights of a snapshot; called on a thread.
        show: adds the answer to the page.
    """
    _ImageForm(place, ask, show).build()


class _ImageForm:
    def __init__(self, place: Place, ask: Callable[..., Any], show: Callable[..., Any]) -> None:
        self.place, self.ask, self.show = place, ask, show
        self.workspace = place.site.workspace

    def build(self) -> None:
        """Add the form and the place of the answer."""
        with panel("Test a single image"):
            with ui.element("div").classes("fields"):
                self.path = ui.input("Image on the server", value=_test_image(self.place))
                self.path.props("outlined dense").classes("field")
                self.upload = FileField(
                    "or upload images", self._uploaded, most=self.workspace.limits.upload,
                    accept="image/*", count=_IMAGES, together=True,
                )  # fmt: skip
            ui.button("Test one", on_click=self._named)
            self.answers = ui.column().classes("w-full answer")

    async def _named(self) -> None:
        name = self.path.value or ""
        with self._answering():
            file = self.workspace.inside(name)
            if not file.is_file():
                raise UsageError(f"{name}: no such file")
            await self._answer(file, name)

    async def _uploaded(self, files: Sequence[UploadFile]) -> None:
        """Answer for each image; one that cannot be read does not end the rest."""
        self.upload.reset()
        folder = self.workspace.folder
        with self._answering(), tempfile.TemporaryDirectory(dir=folder, prefix=".test-") as made:
            for number, upload in enumerate(files):
                file = Path(made) / str(number) / safe_name(upload.filename or "").name
                file.parent.mkdir()
                file.write_bytes(await upload.read())
                with notify_errors():
                    await self._answer(file, file.name, several=len(files) > 1)

    @contextmanager
    def _answering(self) -> Iterator[None]:
        """Remove the old answer, which would stand below an error."""
        self.answers.clear()
        with notify_errors():
            yield

    async def _answer(self, file: Path, name: str, *, several: bool = False) -> None:
        check_image(file, self.workspace.limits.pixels, name)
        found = await run_in_thread(self.ask, self.place.run, file, self.place.snapshot.value)
        with self.answers:
            if not several:
                self.show(found)
                return
            with ui.expansion(name, value=True).classes("w-full answer-of-several"):
                self.show(found)


def _test_image(place: Place) -> str:
    """The test image of a data set, as default."""
    folder = place.site.folder(place.site.store.get(place.job.needs[0])) / "data"
    for name in ("test.png", "test0.png"):
        if (folder / name).exists():
            return str((folder / name).relative_to(place.site.workspace.folder))
    return ""
