"""Fields that take files, and the one route that all of them send to.

The page's library has such a field too, which adds a route of its own for each page that is opened.
FastAPI remembers the last 4,096 functions of routes, and each has its page: hundreds of megabytes.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from fastapi import APIRouter, HTTPException, Request
from nicegui import Client, ui
from starlette.datastructures import UploadFile

Take = Callable[[Sequence[UploadFile]], Awaitable[None]]


class FileField(ui.element):
    """A field whose files are sent as soon as they are chosen, drawn by Quasar's QUploader.

    Args:
        label: its name.
        take: called with the files of a request, which are closed after it.
        most: bytes of a file, and of all files.
        accept: of the browser's dialog, as HTML's ``accept``.
        count: of files that may be chosen, None for any.
        together: they come in one request, instead of one for each.
    """

    def __init__(
        self,
        label: str,
        take: Take,
        *,
        most: int,
        accept: str,
        count: int | None = 1,
        together: bool = False,
    ) -> None:
        super().__init__("q-uploader")
        self._take = take
        self.props["label"] = label
        self.props["url"] = f"/page/files/{self.client.id}/{self.id}"
        self.props["accept"] = accept
        self.props["max-total-size"] = most
        if count is not None:
            self.props["max-files"] = count
        for name, told in (("multiple", count != 1), ("batch", together)):
            self.props.set_bool(name, told)
        self.props("auto-upload flat bordered no-thumbnails")

    def reset(self) -> None:
        """Forget the files in the browser."""
        self.run_method("reset")

    async def receive(self, request: Request) -> None:
        """Take the files of a request."""
        async with request.form() as form:
            files = [each for _, each in form.multi_items() if isinstance(each, UploadFile)]
            with self.parent_slot or self.client:
                await self._take(files)


def route() -> APIRouter:
    """The route of all fields."""
    router = APIRouter(include_in_schema=False)

    @router.post("/page/files/{page}/{number}")
    async def receive(page: str, number: int, request: Request) -> None:
        client = Client.instances.get(page)
        field = client.elements.get(number) if client is not None else None
        if not isinstance(field, FileField):
            raise HTTPException(404, "this page was closed; open it again")
        await field.receive(request)

    return router
