"""A profile as a bar chart, and as a trace in Chrome's format for viewers such as Perfetto."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from protonet.formats.atomic import write_atomic
from protonet.formats.pictures import new_figure, picture_bytes, picture_kind
from protonet.jobs.profiling.profile import LayerProfile, Profile

FORMATS = ("svg", "png", "pdf")
_COLORS = {
    "data": "#8c8c8c",
    "forward": "#3b76af",
    "backward": "#ef8636",
    "update": "#519e3e",
}
_ROW = 0.2
"""Distance of bars in inches."""
_TOLD = 0.003
"""The share from which a bar has a label."""


def draw_profile(profile: Profile, layers: Sequence[LayerProfile], path: Path) -> None:
    """Write bars of these layers, the first one on top: data, forward, backward, update.

    Raises:
        UsageError: for another file type, or a folder that cannot be written to.
    """
    kind = picture_kind(path, FORMATS)
    height = 1.4 + _ROW * len(layers)
    figure = new_figure(9, height)
    axes: Any = figure.add_subplot()
    _draw_bars(axes, profile, layers)
    axes.set_ylim(len(layers) - 0.4, -0.6)
    axes.margins(x=0.16)
    axes.set_xlim(left=0)
    axes.set_yticks(range(len(layers)), [_short(layer.name) for layer in layers], fontsize=8)
    axes.tick_params(axis="y", length=0)
    axes.tick_params(axis="x", labelsize=8)
    if height > 8:  # too tall to see both ends at once
        axes.tick_params(axis="x", top=True, labeltop=True)
    axes.set_xlabel("milliseconds per iteration", fontsize=8)
    axes.set_title(_title(profile), loc="left", fontsize=10, fontweight="bold")
    axes.grid(axis="x", color="#000000", alpha=0.1, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left"]].set_visible(False)
    figure.legend(
        *axes.get_legend_handles_labels(),
        loc="outside lower center",
        ncols=len(_COLORS),
        fontsize=8,
        frameon=False,
    )
    write_atomic(path, picture_bytes(figure, kind, dpi=120))


def _draw_bars(axes: Any, profile: Profile, layers: Sequence[LayerProfile]) -> None:
    ends = [0.0] * len(layers)
    for kind, color in _COLORS.items():
        widths = [1000 * getattr(layer, kind) for layer in layers]
        if any(widths):
            axes.barh(range(len(layers)), widths, 0.7, ends, color=color, label=kind)
        ends = [end + width for end, width in zip(ends, widths, strict=True)]
    for row, (layer, end) in enumerate(zip(layers, ends, strict=True)):
        share = layer.seconds / profile.seconds
        if share >= _TOLD:
            axes.annotate(
                f"{end:.3g} ms, {100 * share:.1f} %",
                (end, row),
                (4, 0),
                textcoords="offset points",
                va="center",
                fontsize=7,
                color="#333333",
            )


def _title(profile: Profile) -> str:
    return (
        f"{profile.name or 'network'} on {profile.device}: {1000 * profile.seconds:.4g} ms per "
        f"iteration, {profile.images / profile.seconds:,.0f} images/s"
    )


def _short(text: str) -> str:
    return text if len(text) <= 36 else text[:16] + "..." + text[-17:]


def write_trace(profile: Profile, path: Path) -> None:
    """Write every call of every iteration, and the prefetching threads.

    In the format of chrome://tracing, which Perfetto also reads.

    Raises:
        UsageError: for a folder that cannot be written to.
    """
    events = [
        _named("process_name", 0, f"protonet {profile.name}".strip()),
        _named("thread_name", 0, f"net ({profile.device})"),
        *_calls(profile),
        *_threads(profile),
    ]
    text = json.dumps({"traceEvents": events, "displayTimeUnit": "ms"})
    write_atomic(path, text.encode())


def _named(what: str, thread: int, name: str) -> dict[str, Any]:
    return {"name": what, "ph": "M", "pid": 1, "tid": thread, "args": {"name": name}}


def _event(
    name: str, kind: str, thread: int, began: float, seconds: float, **told: object
) -> dict[str, Any]:
    """A complete event; times are in microseconds."""
    return {
        "name": name,
        "cat": kind,
        "ph": "X",
        "pid": 1,
        "tid": thread,
        "ts": round(began * 1e6, 3),
        "dur": round(seconds * 1e6, 3),
        "args": told,
    }


def _calls(profile: Profile) -> Iterator[dict[str, Any]]:
    for span in profile.spans:
        if span.step < len(profile.layers):
            layer = profile.layers[span.step]
            name, told = layer.name, {"type": layer.type}
        else:
            name, told = "update" if span.kind == "update" else "gradients of losses", {}
        yield _event(name, span.kind, 0, span.began, span.seconds, **told)


def _threads(profile: Profile) -> Iterator[dict[str, Any]]:
    """A row for each prefetching thread; reading is drawn before transforming, although they
    alternate image by image.
    """
    rows: dict[int, int] = {}
    for source in profile.inputs:
        for work in source.worker_times:
            if work.thread not in rows:
                rows[work.thread] = len(rows) + 1
                yield _named("thread_name", rows[work.thread], f"data {len(rows)}")
            row, images = rows[work.thread], work.images
            read, changed = work.reading, work.transforming
            yield _event(f"{source.name}: read", "data", row, work.began, read, images=images)
            yield _event(
                f"{source.name}: transform", "data", row, work.began + read, changed, images=images
            )
