"""A dialog with what a network's data layer makes of images: crops, mirrors, windows, colours."""

from __future__ import annotations

from collections.abc import Callable

from nicegui import ui

from protonet.web.datasets import Databases
from protonet.web.datasets.augmented import AugmentedPicture, AugmentedSample, AugmentForm
from protonet.web.datasets.classes import Classes
from protonet.web.page.datasets.figures import picture_with_boxes
from protonet.web.page.parts import notify_errors
from protonet.web.site import Site


async def show_augmented(
    site: Site, text: Callable[[], str], databases: Callable[[], Databases | None]
) -> None:
    """Show some images as they are and as several epochs would see them."""
    with ui.dialog(value=True).props("maximized") as dialog, ui.card().classes("w-full"):
        with ui.row().classes("items-center w-full"):
            ui.label("Images as the training sees them, without mean and scale").classes("text-h6")
            ui.space()
            again = ui.button("Other random numbers", icon="casino").props("outline no-caps")
            ui.button("Close", on_click=dialog.close).props("flat no-caps")
        place = ui.column().classes("w-full")
    seed = 0

    async def fill() -> None:
        place.clear()  # what was there is not that of a text that fails
        found = databases()
        with place, notify_errors():
            if found is None:
                raise ValueError("choose a data set first")
            form = AugmentForm(network=text(), seed=seed)
            _show(await site.checks.augment(form, site.workspace, found, session=id(place)))

    async def other() -> None:
        nonlocal seed
        seed += 1
        await fill()

    again.on_click(other)
    await fill()


def _show(found: list[AugmentedSample]) -> None:
    colours = {number: Classes().colour(number) for number in range(256)}
    for sample in found:
        ui.label(sample.key).classes("quiet number")
        with ui.element("div").classes("samples"):
            for number, each in enumerate((sample.original, *sample.variants)):
                with ui.element("figure"):
                    with ui.element("span").classes("sample large"):
                        ui.html(
                            picture_with_boxes(each.png, sample.key, each.boxes, colours),
                            sanitize=False, tag="span",
                        )  # fmt: skip
                    ui.label(caption(each, number)).classes("quiet number")


def caption(picture: AugmentedPicture, number: int) -> str:
    """Size and number of boxes; the first picture is the image as it is."""
    height, width = picture.size
    boxes = len(picture.boxes)
    told = f"{width} x {height}" + (f", {boxes} box{'' if boxes == 1 else 'es'}" if boxes else "")
    return f"{told}: as it is" if number == 0 else told
