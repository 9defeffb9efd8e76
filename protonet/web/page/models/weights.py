"""The weights that a new model starts from."""

from __future__ import annotations

from typing import Any

from protonet.web.page.models.fields import Fields, Given
from protonet.web.site import Site
from protonet.web.store import ABORT, DONE, TRAINING


class WeightsSection(Fields):
    """The section."""

    def __init__(self, site: Site, given: Given) -> None:
        super().__init__(given)
        self.text("weights", "Weights file on the server")
        runs = {job.id: job.name for job in site.store.all(TRAINING, [DONE, ABORT])}
        self.choice("weights_of", "Weights of", {None: "None: random initialization", **runs})
        self.text("weights_at", "Snapshot (last, best, or an iteration)", "last")
        self.check("allow_mismatch", "Skip layers of other shapes")

    def values(self) -> dict[str, Any]:
        """The values; an empty name of a file is none."""
        found = super().values()
        return {**found, "weights": found["weights"].strip() or None}
