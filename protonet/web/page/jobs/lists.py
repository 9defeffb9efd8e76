"""The list of all jobs, with selection for comparison."""

from __future__ import annotations

from nicegui import ui

from protonet.web.page.frame import frame, heading, panel
from protonet.web.page.parts import TICK, jobs_table
from protonet.web.site import Site
from protonet.web.store import DATASET, TRAINING, Job


def add(site: Site) -> None:
    """Add the page."""

    @ui.page("/jobs")
    def list_page() -> None:
        chosen: set[str] = set()
        with frame("Jobs", "Jobs"):
            heading(
                "Jobs", "One training per device and one data set at a time; others are queued."
            )

            def choose(job: Job, wanted: bool) -> None:
                (chosen.add if wanted else chosen.discard)(job.id)
                compare.set_enabled(len(chosen) > 1)

            def open_comparison() -> None:
                jobs = [job.id for job in site.store.all(TRAINING) if job.id in chosen]
                ui.navigate.to(f"/compare?jobs={','.join(jobs)}")

            compare = ui.button("Compare", on_click=open_comparison)
            compare.set_enabled(False)

            @ui.refreshable
            def everything() -> None:
                with panel("Trainings"):
                    jobs_table(site.store.all(TRAINING), choose=choose, chosen=chosen)
                with panel("Data sets"):
                    jobs_table(site.store.all(DATASET))

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
