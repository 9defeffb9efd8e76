"""An element that shows a chart."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import orjson
from nicegui import events, ui


class Chart(ui.echart):
    """A chart of ECharts options, as ``protonet.web.page.charts`` makes them.

    The options are kept as JSON: NiceGUI watches each list and dictionary of a property for
    changes, which for curves of thousands of points takes time and memory.

    Args:
        options: what is drawn, also as ``as_json`` has made it, for several users.
        on_point_click: called when a point is clicked.
    """

    def __init__(
        self,
        options: Mapping[str, Any] | orjson.Fragment,
        on_point_click: Callable[[events.EChartPointClickEventArguments], Any] | None = None,
    ) -> None:
        super().__init__({}, on_point_click)
        self.show(options)

    def show(self, options: Mapping[str, Any] | orjson.Fragment) -> None:
        """Draw other options; the user's zoom stays."""
        made = options if isinstance(options, orjson.Fragment) else as_json(options)
        self.props["options"] = made
        self.update()


def as_json(options: Mapping[str, Any]) -> orjson.Fragment:
    """Options as NiceGUI sends them; NaN is null, a gap in a curve."""
    return orjson.Fragment(orjson.dumps(options, option=orjson.OPT_SERIALIZE_NUMPY))
