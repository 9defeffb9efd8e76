"""The network of a new model: the editor, the table of its layers, its drawing."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from nicegui import ui

from protonet import resources
from protonet.errors import Mistake, ProtonetError
from protonet.jobs.checks.network_report import NetworkReport
from protonet.sizes import byte_count
from protonet.web.checks import SupersededError
from protonet.web.page.models.editor import Checked, NetworkEditor

Look = Callable[[str], Awaitable[NetworkReport]]


class NetworkSection:
    """The section.

    Args:
        text: the initial text.
        look: inspects a text.
        draw: draws a text as SVG.
        looked: called with the report of each text, None for one that could not be inspected.
    """

    def __init__(
        self,
        text: str,
        look: Look,
        draw: Callable[[str], Awaitable[bytes]],
        looked: Callable[[NetworkReport | None], None],
    ) -> None:
        self._look, self._draw, self._told = look, draw, looked
        self._report: NetworkReport | None = None
        with ui.row().classes("items-center gap-2"):
            standard = resources.example_networks()
            ui.select(
                sorted(standard),
                label="Start from",
                on_change=lambda event: self._take(standard[event.value]),
            ).props("outlined dense options-dense").style("width: 15rem")
            ui.button("Visualize", icon="account_tree", on_click=self._visualize).props(
                "outline no-caps"
            )
        self.editor = NetworkEditor(text, self._check, self._show)
        self._layers = ui.column().classes("w-full")
        self._drawing = ui.column().classes("w-full")

    @property
    def text(self) -> str:
        """The current text."""
        return self.editor.text

    def check_again(self) -> None:
        """Check the text again: the data, and so the shapes, have changed."""
        self.editor.check_again()

    def _take(self, text: str) -> None:
        self.editor.text = text

    async def _check(self, text: str) -> Checked | None:
        self._report = None
        try:
            report = await self._look(text)
        except SupersededError:
            return None
        except ProtonetError as error:
            return Checked((Mistake(str(error)),))
        self._report = report
        return Checked(report.mistakes, told(report))

    def _show(self, checked: Checked) -> None:
        self._layers.clear()
        report = self._report
        self._told(report)
        if report is None or checked.mistakes or not report.rows:
            return
        with self._layers, ui.expansion("Layers", value=True).classes("w-full"):
            show_layers(report)

    async def _visualize(self) -> None:
        self._drawing.clear()
        try:
            svg = await self._draw(self.text)
        except ProtonetError as error:
            with self._drawing:
                ui.label(str(error)).classes("told hint").props('role="alert"')
            return
        with self._drawing:
            ui.label("Dashed lines: only for training or testing.").classes("quiet")
            with ui.element("div").classes("drawing"):
                ui.html(svg.decode(), sanitize=False)


def told(report: NetworkReport) -> str:
    """The report as a line."""
    text = f"{len(report.rows)} layers"
    if report.parameters:
        text += (
            f", {report.parameters:,} parameters, about {byte_count(report.training_bytes)} "
            "to train"
        )
    text += ". No mistakes."
    if report.ignored:
        text += f" Without effect: {', '.join(report.ignored)}."
    return "\n".join([text, *(f"Note: {each}." for each in report.notes)])


def show_layers(report: NetworkReport) -> None:
    """The table of the layers."""
    rows = [
        {
            "name": row.name,
            "type": row.type,
            "tops": ", ".join(_blob(*top) for top in row.tops),
            "parameters": f"{row.parameters:,}" if row.parameters else "",
            "used": "training" if report.deployed and row.name not in report.deployed else "",
        }
        for row in report.rows
    ]
    columns = [
        {"name": key, "label": label, "field": key, "align": "left"}
        for key, label in (("name", "Layer"), ("type", "Type"), ("tops", "Tops"),
                           ("parameters", "Parameters"), ("used", "Only for"))
    ]  # fmt: skip
    ui.table(rows=rows, columns=columns).props("flat dense").classes("w-full layers")


def _blob(name: str, shape: tuple[int, ...]) -> str:
    return f"{name} {' x '.join(map(str, shape))}".strip()
