"""All jobs under each other; those that are chosen are compared."""

from __future__ import annotations

from nicegui import ui

from protonet.web.page.frame import frame, heading, panel
from protonet.web.page.parts import TICK, jobs_table
from protonet.web.site import Site
from protonet.web.store import TRAINING, Job


def add(site: Site) -> None:
    """Add the page."""

    @ui.page("/jobs")
    def list_page() -> None:
        chosen: dict[str, Job] = {}
        with frame("Jobs", "Jobs"):
            heading("Jobs", "Trainings wait for their device, data sets for each other.")

            def choose(job: Job, wanted: bool) -> None:
                chosen.pop(job.id, None)
                if wanted:
                    chosen[job.id] = job
                compare.set_enabled(len(chosen) > 1)

            compare = ui.button(
                "Compare", on_click=lambda: ui.navigate.to(f"/compare?jobs={','.join(chosen)}")
            )
            compare.set_enabled(False)
            with panel("Trainings"):
                jobs_table(site.store.all(TRAINING), choose=choose)

            @ui.refreshable
            def everything() -> None:
                with panel("Everything"):
                    jobs_table(site.store.all())

            everything()
            seen = [_standing(site)]

            def look() -> None:
                now = _standing(site)
                if now != seen[0]:
                    seen[0] = now
                    everything.refresh()

            ui.timer(TICK, look)


def _standing(site: Site) -> list[tuple[str, str]]:
    return [(job.id, job.status) for job in site.store.all()]
