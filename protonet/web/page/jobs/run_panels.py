"""What a run consists of: its settings, its texts, its files, its log."""

from __future__ import annotations

from typing import Any

from nicegui import ui

from protonet.errors import ProtonetError
from protonet.jobs.comparison.table import setting_text, settings_of
from protonet.sizes import byte_count
from protonet.web.page.models.editor import language_of
from protonet.web.page.parts import LOG, notify_errors, run_in_thread, when
from protonet.web.process import OUTPUT
from protonet.web.progress import log_of, run_of
from protonet.web.run_files import files_of, search, text_of
from protonet.web.site import Site
from protonet.web.store import Job

_TEXTS = {
    "original.prototxt": "As given", "original.lua": "As given",
    "train_val.prototxt": "Training network", "deploy.prototxt": "Deploy network",
    "solver.prototxt": "Solver",
}  # fmt: skip


class RunPanels:
    """Parts of a run that are filled in when they are opened."""

    def __init__(self, site: Site, job: Job) -> None:
        self.site, self.job = site, job
        self.run = run_of(site.workspace, job)
        for name, fill in (("Settings", self._settings), ("Network and solver", self._texts),
                           ("Files", self._files)):  # fmt: skip
            _opened(name, fill)

    async def _settings(self) -> None:
        try:
            values = await run_in_thread(settings_of, self.run)
        except (ProtonetError, OSError):
            ui.label("The training has not begun.").classes("quiet")
            return
        rows = [{"name": name, "value": setting_text(value) or "\u2013"}
                for name, value in values.items()]  # fmt: skip
        _table({"name": "Setting", "value": "Value"}, rows, "name")

    async def _texts(self) -> None:
        """The texts with colors, and a drawing of the network."""
        names = [name for name in _TEXTS if (self.run.path / name).exists()]
        if not names:
            ui.label("The training has not begun.").classes("quiet")
            return
        with ui.tabs().props("no-caps dense align=left").classes("w-full") as tabs:
            made = {name: ui.tab(name, _TEXTS[name]) for name in names}
            drawn = ui.tab("drawing", "Drawing")
        with ui.tab_panels(tabs, value=made[names[0]]).classes("w-full"):
            for name, tab in made.items():
                text = await run_in_thread(text_of, self.run.path / name)
                with ui.tab_panel(tab):
                    ui.codemirror(
                        text, language=language_of(text), theme="githubLight", line_wrapping=False
                    ).props(f'role="group" aria-label="{name}" disable').classes("prototxt w-full")
            with ui.tab_panel(drawn), notify_errors():
                text = await run_in_thread(text_of, self.run.path / names[0])
                svg = await self.site.checks.draw(text, self.site.workspace)
                with ui.element("div").classes("drawing"):
                    ui.html(svg.decode(), sanitize=False)

    async def _files(self) -> None:
        files = await run_in_thread(files_of, self.run.path)
        if not files:
            ui.label("There are no files yet.").classes("quiet")
            return
        rows = [
            {"name": each.name, "bytes": each.bytes, "size": byte_count(each.bytes),
             "changed": when(each.changed), "link": f"/api/jobs/{self.job.id}/files/{each.name}"}
            for each in files
        ]  # fmt: skip
        made = _table({"name": "File", "bytes": "Size", "changed": "Changed"}, rows, "name")
        made.add_slot(
            "body-cell-name",
            '<q-td :props="props"><a :href="props.row.link" class="nicegui-link" download>'
            "{{ props.value }}</a></q-td>",
        )


class LogPanel:
    """The end of the log, or the lines that contain a text."""

    def __init__(self, site: Site, job: Job) -> None:
        self.site, self.job = site, job
        field = ui.input("Search the log", on_change=self._search)
        self.wanted = field.props("outlined dense clearable debounce=300")
        self.told = ui.label().classes("quiet").props('role="status"')
        self.told.set_visibility(False)
        self.log = ui.label("").classes("log").props(LOG)

    def update(self) -> None:
        """Show the end of the log, unless the user searches."""
        if not self.wanted.value:
            self.log.text = log_of(self.site.workspace, self.job)

    async def _search(self) -> None:
        text = self.wanted.value
        self.told.set_visibility(bool(text))
        if not text:
            self.update()
            return
        found = await run_in_thread(search, self.site.folder(self.job) / OUTPUT, text)
        self.log.text = "\n".join(f"{number}: {line}" for number, line in found.lines)
        last = f"; the last {len(found.lines):,}" if found.total > len(found.lines) else ""
        what = "1 line contains" if found.total == 1 else f"{found.total:,} lines contain"
        self.told.text = f"{what} it{last}"


def _opened(name: str, fill: Any) -> None:
    """A part that is filled in at its first opening."""
    with ui.expansion(name).classes("panel part w-full") as part:
        place = ui.column().classes("w-full gap-3")

    async def opened() -> None:
        if part.value and not place.default_slot.children:
            with place, notify_errors():
                await fill()

    part.on_value_change(opened)


def _table(columns: dict[str, str], rows: list[dict[str, Any]], key: str) -> ui.table:
    shown = [
        {"name": name, "label": label, "field": name, "align": "left", "sortable": True}
        | ({":format": "(value, row) => row.size"} if name == "bytes" else {})
        for name, label in columns.items()
    ]
    made = ui.table(columns=shown, rows=rows, row_key=key, pagination={"rowsPerPage": 100})
    return made.props("flat dense wrap-cells").classes("w-full")
