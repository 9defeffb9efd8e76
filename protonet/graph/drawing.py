"""A net as a diagram: a box for each layer, in columns by depth, and arrows for the blobs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from protonet.errors import UsageError
from protonet.formats.atomic import write_atomic
from protonet.formats.pictures import picture_bytes, picture_kind
from protonet.graph import svg
from protonet.graph.names import wire
from protonet.graph.svg import Arrow, Box
from protonet.proto.caffe_pb2 import LayerParameter, NetParameter

FORMATS = ("svg", "png", "jpg", "pdf")

_COLORS = {
    "data": "#b9d7a8",
    "weights": "#f4b6a6",
    "pooling": "#f6d186",
    "loss": "#d9b8e8",
    "plain": "#dfe6ee",
}
_WIDTH, _HEIGHT, _ACROSS, _ALONG = 2.6, 0.7, 1.1, 3.6


def draw_net(net: NetParameter, path: Path, *, direction: str = "LR", rates: bool = False) -> None:
    """Write a picture of ``net`` to ``path``: .svg, .png, .jpg or .pdf.

    ``direction`` is the direction of data flow: LR or TB, or their reverses RL and BT.
    ``rates`` shows the lr_mult of layers with weights.

    Raises:
        UsageError: for another kind of file or direction.
    """
    kind = picture_kind(path, FORMATS)
    write_atomic(path, picture_of(net, kind, direction=direction, rates=rates))


def picture_of(
    net: NetParameter,
    kind: str,
    *,
    direction: str = "LR",
    rates: bool = False,
    faint: Collection[str] = (),
) -> bytes:
    """A picture of ``net`` as the bytes of an svg, png, jpg or pdf file.

    Args:
        net: the net.
        kind: one of ``FORMATS``.
        direction: of the data flow: LR or TB, or their reverses RL and BT.
        rates: show the lr_mult of layers with weights.
        faint: names of layers drawn with dashed lines, such as those of the training only.

    Raises:
        UsageError: for another direction.
    """
    if direction not in ("LR", "TB", "RL", "BT"):
        raise UsageError(f"expected a direction LR, TB, RL or BT, got '{direction}'")
    boxes, arrows = _laid_out(net, direction, rates, faint)
    across, down = zip(*(box.at for box in boxes), strict=True) if boxes else ((0.0,), (0.0,))
    down += tuple(arrow.text_at[1] for arrow in arrows)  # bent ones go below the boxes
    size = (max(across) - min(across) + 4, max(down) - min(down) + 2)
    extent = (min(across) - 2, max(down) + 1, *size)
    # Deep nets get smaller boxes: viewers cannot show very large pictures.
    scale = min(1.0, 150 / max(size))
    if kind == "svg":
        return svg.picture(boxes, arrows, extent=extent, size=(_WIDTH, _HEIGHT), scale=scale)
    return _painted(boxes, arrows, extent, scale, kind)


def _laid_out(
    net: NetParameter, direction: str, rates: bool, faint: Collection[str]
) -> tuple[list[Box], list[Arrow]]:
    """A box for each layer in order, and an arrow for the blobs between two layers."""
    edges = connections(net)
    grid = place(len(net.layer), list(edges))
    places = {index: _placed(column, row, direction) for index, (column, row) in grid.items()}
    boxes = [
        Box(
            places[index],
            (_short(layer.name), layer.type + _detail(layer, rates)),
            _COLORS[_kind(layer)],
            layer.name in faint,
        )
        for index, layer in enumerate(net.layer)
    ]
    arrows = [
        _arrow(places[start], places[end], ", ".join(blobs), direction)
        for (start, end), blobs in edges.items()
    ]
    return boxes, arrows


def _painted(
    boxes: Sequence[Box],
    arrows: Sequence[Arrow],
    extent: tuple[float, float, float, float],
    scale: float,
    kind: str,
) -> bytes:
    """The picture in the other formats, by matplotlib."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    left, top, width, height = extent
    figure = Figure(figsize=(width * scale, height * scale))
    FigureCanvasAgg(figure)
    axes: Any = figure.add_axes((0, 0, 1, 1))
    axes.set_xlim(left, left + width)
    axes.set_ylim(top - height, top)
    axes.axis("off")
    for arrow in arrows:
        _draw_arrow(axes, arrow, scale)
    for box in boxes:
        _draw_box(axes, box, scale)
    return picture_bytes(figure, kind, dpi=100)


def to_mermaid(net: NetParameter, *, direction: str = "LR", rates: bool = False) -> str:
    """The net as the text of a Mermaid flowchart."""
    lines = [f"flowchart {direction}"]
    for index, layer in enumerate(net.layer):
        text = f"{layer.name}\n{layer.type}{_detail(layer, rates)}".replace('"', "'")
        lines.append(f'  n{index}["{text}"]'.replace("\n", "<br/>"))
        lines.append(f"  style n{index} fill:{_COLORS[_kind(layer)]}")
    for (start, end), blobs in connections(net).items():
        label = ", ".join(blobs).replace('"', "'")
        lines.append(f'  n{start} -- "{label}" --> n{end}')
    return "\n".join(lines) + "\n"


def connections(net: NetParameter) -> dict[tuple[int, int], list[str]]:
    """Which layers feed which, with the names of the blobs between them."""

    def ignore(*_: object) -> None:
        """Nets with mistakes are drawn, too."""

    wiring = wire(net.layer, [0] * len(net.layer), ignore)
    edges: dict[tuple[int, int], list[str]] = defaultdict(list)
    for writing, consumers in zip(wiring.writings, wiring.consumers, strict=True):
        for step, _ in consumers:
            edges[writing.producer, step].append(writing.name)
    return dict(edges)


def place(count: int, edges: list[tuple[int, int]]) -> dict[int, tuple[int, float]]:
    """A column (the longest path from a source) and a row for each of ``count`` layers.

    Within a column, layers are sorted by the mean row of their sources, so that few lines cross.
    """
    sources = defaultdict(list)
    for start, end in edges:
        sources[end].append(start)
    column: dict[int, int] = {}
    for index in range(count):
        column[index] = max((column[each] + 1 for each in sources[index]), default=0)
    placed: dict[int, tuple[int, float]] = {}
    columns = defaultdict(list)
    for index, depth in column.items():
        columns[depth].append(index)
    for depth in sorted(columns):
        members = columns[depth]
        wish = {
            index: sum(placed[each][1] for each in sources[index]) / len(sources[index])
            if sources[index]
            else 0.0
            for index in members
        }
        members.sort(key=lambda index: (wish[index], index))
        middle = sum(wish.values()) / len(members)
        for row, index in enumerate(members):
            placed[index] = (depth, middle + row - (len(members) - 1) / 2)
    return placed


def _placed(column: int, row: float, direction: str) -> tuple[float, float]:
    """The position of a box in the picture."""
    if direction in ("LR", "RL"):
        x = column * _ALONG
        return (x if direction == "LR" else -x), -row * _ACROSS
    y = -column * _ACROSS * 1.2
    return row * (_WIDTH + 0.4), (y if direction == "TB" else -y)


def _draw_box(axes: Any, box: Box, scale: float) -> None:
    from matplotlib.patches import FancyBboxPatch

    x, y = box.at
    axes.add_patch(
        FancyBboxPatch(
            (x - _WIDTH / 2, y - _HEIGHT / 2),
            _WIDTH,
            _HEIGHT,
            boxstyle="round,pad=0.02,rounding_size=0.1",
            facecolor=box.color,
            edgecolor="#444",
            linewidth=0.8 * scale,
            linestyle="--" if box.faint else "-",
            alpha=0.55 if box.faint else 1.0,
            zorder=2,
        )
    )
    axes.text(x, y, "\n".join(box.lines), ha="center", va="center", fontsize=8 * scale, zorder=3)


def _arrow(
    start: tuple[float, float], end: tuple[float, float], blobs: str, direction: str
) -> Arrow:
    """An arrow from the edge of one box to that of another."""
    forward = 1 if direction in ("LR", "BT") else -1
    if direction in ("LR", "RL"):
        tail = (start[0] + forward * _WIDTH / 2, start[1])
        head = (end[0] - forward * _WIDTH / 2, end[1])
    else:
        tail = (start[0], start[1] + forward * _HEIGHT / 2)
        head = (end[0], end[1] - forward * _HEIGHT / 2)
    # An arrow that skips a column is bent around the boxes in between.
    reach = abs(end[0] - start[0]) / _ALONG if direction in ("LR", "RL") else 0.0
    bend = 0.25 if reach > 1.5 and abs(end[1] - start[1]) < 0.1 else 0.0
    below = bend * abs(head[0] - tail[0]) / 2
    middle = ((tail[0] + head[0]) / 2, (tail[1] + head[1]) / 2 - below)
    return Arrow(tail, head, bend, _short(blobs), middle)


def _draw_arrow(axes: Any, arrow: Arrow, scale: float) -> None:
    axes.annotate(
        "",
        xy=arrow.head,
        xytext=arrow.tail,
        arrowprops={
            "arrowstyle": "-|>",
            "color": "#666",
            "linewidth": 0.8 * scale,
            "connectionstyle": f"arc3,rad={arrow.bend}",
        },
        zorder=1,
    )
    style = {"fontsize": 6 * scale, "color": "#555", "ha": "center", "va": "bottom"}
    axes.text(*arrow.text_at, arrow.text, **style)


def _kind(layer: LayerParameter) -> str:
    if not layer.bottom:
        return "data"
    if layer.type in ("Convolution", "Deconvolution", "InnerProduct", "Embed", "LSTM", "RNN"):
        return "weights"
    if layer.type in ("Pooling", "SPP"):
        return "pooling"
    return "loss" if layer.type.endswith("Loss") or layer.type == "Accuracy" else "plain"


def _detail(layer: LayerParameter, rates: bool) -> str:
    """The main settings of a layer, and with ``rates`` its lr_mult."""
    rate = ""
    if rates and _kind(layer) == "weights":
        rate = f", lr_mult {layer.param[0].lr_mult if layer.param else 1:g}"
    return _numbers(layer) + rate


def _numbers(layer: LayerParameter) -> str:
    if layer.type in ("Convolution", "Deconvolution"):
        spec = layer.convolution_param
        sides = list(spec.kernel_size) or [spec.kernel_h, spec.kernel_w]
        return f" {'x'.join(map(str, sides * (2 // len(sides) or 1)))}, {spec.num_output}"
    if layer.type == "Pooling":
        spec = layer.pooling_param
        return f" {spec.PoolMethod.Name(spec.pool).lower()}"
    if layer.type == "InnerProduct":
        return f" {layer.inner_product_param.num_output}"
    return ""


def _short(text: str) -> str:
    return text if len(text) <= 28 else text[:26] + "..."
