"""The data of a new model: its data set, and how the images are read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nicegui import ui

from protonet.errors import ProtonetError
from protonet.jobs.run.bounds import MEANS
from protonet.web import submission
from protonet.web.datasets import Databases
from protonet.web.page.models.fields import Fields, Given
from protonet.web.site import Site
from protonet.web.store import DATASET, DONE

_MEANS = {
    None: "The network's own, else the mean image", "image": "Subtract the mean image",
    "pixel": "Subtract the mean pixel", "none": "None",
}  # fmt: skip
_MIRROR = {None: "As the network says", True: "At random in training", False: "Never"}


class DataSection(Fields):
    """The section. ``changed`` is called when the shapes of the images may have changed."""

    def __init__(self, site: Site, given: Given, changed: Callable[[], None]) -> None:
        super().__init__(given)
        self.site = site
        known = {job.id: job.name for job in site.store.all(DATASET, [DONE])}
        self.choice("dataset", "Data set", known, next(iter(known), None)).on_value_change(changed)
        self.text("name", "Name", "model")
        self.text("group", "Group").props('placeholder="a sweep\'s own name"')
        mean = given.get("mean")
        self._mean = self.choice("mean", "Mean", _MEANS, None if mean in (None, *MEANS) else "none")
        self._own_mean = self.text("own_mean", "Mean values or file (instead)")
        if mean not in (None, *MEANS):
            self._own_mean.value = mean
        self.number("crop", "Crop (0: none)", whole=True, hint="that of the network")
        self.shown["crop"].on_value_change(changed)
        self.choice("mirror", "Mirror", _MIRROR)
        self._own_mean.on_value_change(changed)
        self.check("shuffle", "Shuffle")
        self.check("by_position", "Pair labels by position")

    def values(self) -> dict[str, Any]:
        """The values; a mean of the user's own replaces the chosen one."""
        found = super().values()
        own = found.pop("own_mean").replace(" ", "")
        found["group"] = found["group"].strip() or None
        return {**found, "mean": own or found["mean"], "dataset": found["dataset"] or ""}

    @property
    def crop(self) -> int | None:
        """The crop, None for the network's own."""
        try:
            crop: int | None = super().values()["crop"]
        except ValueError:
            return None
        return crop

    @property
    def mean(self) -> str | None:
        """The mean, None for one that cannot be read."""
        try:
            return submission.mean_of(self.site, self.values()["mean"])
        except (ProtonetError, ValueError):
            return None

    def databases(self) -> Databases | None:
        """Those of the chosen data set."""
        chosen = self.shown["dataset"].value
        return self.site.databases(self.site.store.get(chosen)) if chosen else None


def add_data_section(site: Site, given: Given, changed: Callable[[], None]) -> DataSection:
    """The section, in a grid of fields."""
    with ui.element("div").classes("fields"):
        return DataSection(site, given, changed)
