"""The form of a new model: data, network, solver, weights, and the submission of trainings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nicegui import ui

from protonet.jobs.checks.network_report import NetworkReport
from protonet.web import submission
from protonet.web.networks import CheckOptions
from protonet.web.page.datasets.augmented import show_augmented
from protonet.web.page.frame import panel
from protonet.web.page.models.data import add_data_section
from protonet.web.page.models.network import NetworkSection
from protonet.web.page.models.solver import SolverSection
from protonet.web.page.models.weights import WeightsSection
from protonet.web.page.parts import notify_errors
from protonet.web.site import Site
from protonet.web.training_form import TrainingForm


class NewModel:
    """The form. ``given`` are the values of a cloned training."""

    def __init__(self, site: Site, given: Mapping[str, Any]) -> None:
        self.site, self.given = site, given
        with panel("Data and name"):
            self.data = add_data_section(site, given, self._again)
        with panel("Network"):
            text = given.get("network", "")
            self.network = NetworkSection(text, self._look, self._draw, self._looked)
            ui.button("Show augmented images", on_click=self._augment).props("flat no-caps dense")
        with panel("Solver"):
            self.solver = SolverSection(given, lambda: self.network.text)
        with panel("Start from weights"):
            self.weights = WeightsSection(site, given, self._again)
        ui.button("Train", icon="play_arrow", on_click=self._train).props("size=lg no-caps")

    def form(self) -> TrainingForm:
        """The values as a form.

        Raises:
            ValueError: for values that cannot be.
        """
        return TrainingForm.model_validate(
            {
                **self.data.values(),
                **self.solver.values(),
                **self.weights.values(),
                "network": self.network.text,
                "notes": self.given.get("notes", ""),
            }
        )

    def _again(self) -> None:
        self.network.check_again()

    async def _look(self, text: str) -> NetworkReport:
        file = await self.weights.file()
        options = CheckOptions(
            crop=self.data.crop,
            mean=self.data.mean,
            weights=() if file is None else (file,),
            allow_mismatch=self.weights.shown["allow_mismatch"].value,
        )
        return await self.site.checks.inspect_network(
            text, self.site.workspace, self.data.databases(), options, session=id(self)
        )

    async def _draw(self, text: str) -> bytes:
        return await self.site.checks.draw(text, self.site.workspace, self.data.databases())

    async def _augment(self) -> None:
        await show_augmented(self.site, lambda: self.network.text, self.data.databases)

    def _looked(self, report: NetworkReport | None) -> None:
        """After each check: what depends on the length of the training and on the language."""
        images, batch = (0, 0) if report is None else (report.images, report.batch_size)
        self.solver.show_length(images, batch)
        self.weights.show(report)

    async def _train(self) -> None:
        with notify_errors():
            jobs = await submission.train(self.site, self.form())
            ui.navigate.to(f"/jobs/{jobs[0].id}" if len(jobs) == 1 else "/jobs")
