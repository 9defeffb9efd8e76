"""The confusion matrix of a test, whose cells choose the images that are shown."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from nicegui import events, ui

from protonet.web.forms import ImagesQuery
from protonet.web.page import charts
from protonet.web.page.chart import Chart

CELL = "cell"
"""The order that has a true and a predicted class."""


def matrix(
    classes: Sequence[str],
    cells: Sequence[tuple[int, int, int]],
    what: str,
    pick: Callable[[int, int], Any],
) -> None:
    """Add the matrix of (true class, predicted class, count of ``what``); ``pick`` is called with
    the classes of a cell that is clicked.
    """

    def clicked(event: events.EChartPointClickEventArguments) -> None:
        assert isinstance(event.value, list)
        said, truth = (int(value) for value in event.value[:2])
        pick(truth, said)

    told = f"Confusion matrix of {what}"
    ui.label(f"{told}, a row for each true class: choose a cell to see its images.").classes(
        "quiet"
    )
    side = f"{min(40, 10 + 1.4 * len(classes)):.0f}rem"
    with ui.element("div").classes("scrolls w-full") as frame:
        frame.props(f'tabindex=0 role="region" aria-label="{told}"')
        chart = Chart(charts.confusion(classes, cells, what), on_point_click=clicked)
        chart.classes("confusion").style(f"height: {side}; width: {side}")


class Selection:
    """Fields that choose an order of images, a true and a predicted class.

    Args:
        orders: told by their names.
        order: the first one.
        classes: names.
        choose: is called when another is chosen.
    """

    def __init__(
        self,
        orders: Mapping[str, str],
        order: str,
        classes: Sequence[str],
        choose: Callable[[], Awaitable[Any]],
    ) -> None:
        self.names, self._choose = dict(enumerate(classes)), choose
        with ui.element("div").classes("fields"):
            self.order = ui.select(dict(orders), value=order, label="Show")
            self.truth = ui.select(self.names, value=0, label="True class")
            self.predicted = ui.select(
                self.names, value=0, label="Predicted class", with_input=True
            )
            for field in (self.order, self.truth, self.predicted):
                field.props("outlined dense options-dense").classes("field")
                field.on_value_change(self._changed)
        self._show()

    @property
    def query(self) -> ImagesQuery:
        """What is chosen."""
        return ImagesQuery(
            order=self.order.value, truth=self.truth.value, predicted=self.predicted.value
        )

    @property
    def cell(self) -> str:
        """The chosen classes in words."""
        return f"{self.names[self.truth.value]}, taken for {self.names[self.predicted.value]}"

    def pick(self, truth: int, predicted: int) -> None:
        """Choose a cell of the matrix."""
        self.truth.value, self.predicted.value, self.order.value = truth, predicted, CELL

    async def _changed(self) -> None:
        self._show()
        await self._choose()

    def _show(self) -> None:
        self.truth.set_visibility(self.order.value == CELL)
        self.predicted.set_visibility(self.order.value in (CELL, "likeliest"))
