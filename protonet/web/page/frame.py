"""The common frame of all pages: navigation bar and style, light and dark."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from nicegui import app, ui

PLACES = (("Data sets", "/datasets"), ("Models", "/models"), ("Jobs", "/jobs"), ("API", "/docs"))

_NAMES = """<script>
addEventListener("load", () => {
  const name = (e, text) => { if (text && !e.ariaLabel) e.ariaLabel = text; };
  const look = () => {
    for (const e of document.querySelectorAll(".cm-content"))
      name(e, e.closest(".prototxt")?.ariaLabel);
    for (const e of document.querySelectorAll("[role=dialog]"))
      name(e, e.querySelector("h1, h2, .q-card > div")?.textContent);
    for (const e of document.querySelectorAll(".q-uploader__header .q-btn")) {
      const title = e.closest(".q-uploader").querySelector(".q-uploader__title")?.textContent;
      name(e, (e.querySelector("input") ? "Choose files: " : "Remove files: ") + (title ?? ""));
    }
  };
  look();
  new MutationObserver(look).observe(document.body, {childList: true, subtree: true});
});
</script>"""
"""Names for controls of libraries that offer no way to give them one."""

_STYLE = """
:root {
  --line: #d8dee6; --quiet: #5b6673; --paper: #ffffff; --ground: #f5f7fa;
  --bad: #c0392b; --bad-soft: #c0392b1a; --link: #1a639f;
}
.body--dark { --line: #333b45; --quiet: #9aa7b5; --paper: #1b2027; --ground: #14181d;
  --bad: #ff7b6b; --bad-soft: #ff7b6b22; --link: #6cb2ee; }
body { background: var(--ground); font-family: system-ui, sans-serif; }
.nicegui-content { max-width: 1280px; margin: 0 auto; padding: 1rem; width: 100%; }
.top { background: var(--paper) !important; color: inherit !important;
  border-bottom: 1px solid var(--line); }
.top a { color: inherit; text-decoration: none; padding: .4rem .6rem; border-radius: 6px; }
.top a:hover, .top a[aria-current] { background: var(--ground); }
.top .brand { font-weight: 700; letter-spacing: -.01em; }
h1 { font-size: 1.5rem; font-weight: 650; line-height: 1.3; margin: 0; }
h2 { font-size: 1.05rem; font-weight: 650; line-height: 1.4; margin: 0; }
.nicegui-link { color: var(--link); }
.panel { background: var(--paper); border: 1px solid var(--line); border-radius: 10px;
  padding: 1rem; box-shadow: none; width: 100%; }
.quiet, .hint { color: var(--quiet); }
.hint { font-size: .9em; white-space: pre-wrap; }
.number { font-variant-numeric: tabular-nums; }
.prototxt { border: 1px solid var(--line); border-radius: 8px; overflow: hidden;
  height: auto; min-height: 12rem; resize: vertical; }
.prototxt .cm-editor { min-height: 12rem; max-height: 70vh; font-size: 13px; }
.prototxt[style*="height"] .cm-editor { max-height: none; } /* a height that the user has chosen */
.body--dark .prototxt .cm-editor { filter: invert(.92) hue-rotate(180deg); }
.body--dark .q-tab-panels, .body--dark .q-table__card, .body--dark .q-uploader {
  background: transparent; }
.body--dark .q-btn.text-primary { --q-primary: #6cb2ee; }
.body--dark .q-btn.text-negative { --q-negative: var(--bad); }
.q-dialog .q-card { position: relative; z-index: 1; }
.q-notification .q-btn { color: #fff !important; }
.q-uploader__input { display: none; } /* its button opens the same dialog, and has a name */
.leaving { font-size: .8rem; visibility: hidden; }
.prototxt:focus-within + .leaving { visibility: visible; }
.mistake-line { background: var(--bad-soft); }
.mistake-word { text-decoration: underline wavy var(--bad); text-underline-offset: 3px; }
.mistakes { min-height: 2.2rem; }
.mistake { border-left: 3px solid var(--bad); padding-left: .5rem; }
.mistake .nicegui-column > :first-child { font-family: ui-monospace, monospace; font-size: .85rem; }
.facts { display: grid; grid-template-columns: repeat(auto-fit, minmax(8rem, 1fr)); gap: .75rem;
  width: 100%; }
.fact .value { font-size: 1.25rem; font-weight: 600; font-variant-numeric: tabular-nums; }
.fact .name { color: var(--quiet); font-size: .8rem; }
.samples { display: grid; grid-template-columns: repeat(auto-fill, minmax(7rem, 1fr)); gap: .75rem;
  width: 100%; }
.samples img { width: 100%; image-rendering: pixelated; border: 1px solid var(--line);
  border-radius: 6px; background: var(--ground); }
.samples figure { margin: 0; }
.mean, .seen { width: 10rem; image-rendering: pixelated; border: 1px solid var(--line);
  border-radius: 6px; }
.samples figcaption, .name-of-image { overflow-wrap: anywhere; font-size: .8rem; }
.wrong { color: var(--bad); font-weight: 600; }
.scrolls { overflow: auto; max-width: 100%; }
.score { width: 8rem; }
.output { font-size: 1.15rem; font-weight: 600; }
.fields { display: grid; grid-template-columns: repeat(auto-fill, minmax(15rem, 1fr)); gap: .75rem;
  width: 100%; align-items: start; }
.field { width: 100%; } .fields .q-uploader { width: 100%; }
.steps, .charts, .statistics { display: grid; gap: 1rem; width: 100%;
  grid-template-columns: repeat(auto-fit, minmax(16rem, 1fr)); }
.statistic { border: 1px solid var(--line); border-radius: 8px; padding: .6rem; min-width: 0; }
.statistic .name { font-weight: 600; } .statistic img { width: 100%; image-rendering: pixelated; }
.jobs { width: 100%; }
.job { display: grid; grid-template-columns: auto minmax(8rem, 1fr) 5rem 6rem 9rem; gap: .75rem;
  align-items: center; padding: .45rem 0; border-bottom: 1px solid var(--line); }
.job .status { justify-self: start; }
.job:not(:has(input)) { grid-template-columns: minmax(8rem, 1fr) 5rem 6rem 9rem; }
.trainings .job, .trainings .job.heads { grid-template-columns:
  1.5rem minmax(8rem, 1fr) 5.5rem minmax(4rem, 9rem) minmax(4rem, 9rem) 9rem 7rem; }
.datasets .job, .datasets .job.heads { grid-template-columns:
  1.5rem minmax(8rem, 1fr) 5.5rem minmax(4rem, 9rem) 9rem 7rem; }
.job input { width: 1.25rem; height: 1.25rem; accent-color: #1f6fb4; }
.job > * { min-width: 0; overflow-wrap: anywhere; }
.job .head { justify-self: start; color: var(--quiet); }
.filters { display: grid; gap: .5rem; width: 100%;
  grid-template-columns: repeat(auto-fill, minmax(10rem, 1fr)); }
.job .name { color: inherit; font-weight: 600; overflow-wrap: anywhere; }
.told, .message { white-space: pre-wrap; }
.chart { width: 100%; height: 22rem; }
.chart.low { height: 9rem; } .chart.middle { height: 13rem; }
.drawing { width: 100%; overflow: auto; background: #fff; border-radius: 8px; }
.log { font-family: ui-monospace, monospace; font-size: 12px; white-space: pre; overflow: auto;
  max-height: 18rem; width: 100%; background: var(--ground); padding: .6rem; border-radius: 8px;
  display: flex; flex-direction: column-reverse; } /* a scroll box so turned begins at its end */
:focus-visible:not(input, textarea, .cm-content, .q-dialog *[tabindex="-1"]) {
  outline: 2px solid var(--link); outline-offset: 2px; }
.no-outline:focus-visible { box-shadow: 0 0 0 2px var(--ground), 0 0 0 4px var(--link); }
.cm-editor.cm-focused, input[type=range]:focus-visible, input[type=file]:focus-visible {
  outline: 2px solid var(--link); }
@media (max-width: 600px) {
  .top nav a { padding: .3rem .35rem; font-size: .85rem; }
  .job { grid-template-columns: auto 1fr auto; }
  .job:not(:has(input)) { grid-template-columns: 1fr auto; }
  .trainings .job, .trainings .job.heads, .datasets .job, .datasets .job.heads {
    grid-template-columns: 1.5rem 1fr auto; }
  .job .quiet { display: none; }
  .nicegui-content { padding: .5rem; } .panel { padding: .7rem; }
}
"""


@contextmanager
def frame(title: str, here: str = "") -> Iterator[None]:
    """A page with the navigation bar, as a context manager for its content.

    Args:
        title: in the browser's tab.
        here: the current entry of the navigation bar.
    """
    ui.page_title(f"{title} · protonet")
    ui.colors(primary="#1f6fb4", positive="#1e7d4b", negative="#c0392b", warning="#8a6500")
    ui.add_css(_STYLE)
    ui.add_body_html(_NAMES)
    dark = ui.dark_mode(app.storage.user.get("dark"))
    with (
        ui.header(elevated=False).classes("top items-center q-py-xs"),
        ui.row().classes("items-center gap-1 w-full no-wrap").style("max-width:1280px;margin:auto"),
    ):
        ui.link("protonet", "/").classes("brand")
        with ui.element("nav").classes("row items-center gap-1").props('aria-label="Places"'):
            for name, target in PLACES:
                link = ui.link(name, target)
                if name == here:
                    link.props('aria-current="page"')
        ui.space()
        ui.button(icon="contrast", on_click=lambda: _turn(dark)).props(
            'flat round dense color=grey aria-label="Light or dark"'
        )
    with ui.column().classes("w-full gap-4"):
        yield


def heading(text: str, told: str = "") -> None:
    """The title of a page, with a subtitle."""
    with ui.column().classes("gap-1"):
        ui.html(f"<h1>{_escaped(text)}</h1>", sanitize=False)
        if told:
            ui.label(told).classes("quiet")


@contextmanager
def panel(title: str = "") -> Iterator[ui.column]:
    """A section of a page, with a title."""
    with ui.column().classes("panel gap-3") as column:
        if title:
            ui.html(f"<h2>{_escaped(title)}</h2>", sanitize=False)
        yield column


def facts(values: dict[str, str]) -> None:
    """Names and values side by side."""
    with ui.element("div").classes("facts"):
        for name, value in values.items():
            with ui.element("div").classes("fact"):
                ui.label(value).classes("value")
                ui.label(name).classes("name")


def _turn(dark: ui.dark_mode) -> None:
    """Toggle light and dark; by default as the browser."""
    dark.value = not dark.value
    app.storage.user["dark"] = dark.value


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
