"""Pictures of a data set: images with what is known of them, and one of them as large as it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from html import escape

from nicegui import ui

from protonet.web.data_url import data_url
from protonet.web.datasets.samples import Box, Sample

_NUMBERS = 6
"""Numbers of a label vector that are shown below an image."""
_CHOSEN = """event => {
  const chosen = event.target.closest("button");
  if (chosen) emit(chosen.value);
}"""

Colours = Mapping[int, str]
"""The colours of classes by their numbers."""


def figures(
    shown: Sequence[Sample], colours: Colours, look: Callable[[Sample], object] | None = None
) -> None:
    """Images side by side; ``look`` is called with one that is chosen."""
    kind = "span" if look is None else "button"
    pictures = (
        f'<figure><{kind} class="sample" value="{place}">{_image(sample, colours)}</{kind}>'
        f'<figcaption class="quiet number">{escape(told(sample))}</figcaption></figure>'
        for place, sample in enumerate(shown)
    )
    made = ui.html("".join(pictures), sanitize=False).classes("samples")
    if look is not None:
        made.on("click", lambda event: look(shown[int(event.args)]), js_handler=_CHOSEN)


def large(sample: Sample, colours: Colours) -> None:
    """One image with its key, size, and label."""
    ui.html(_image(sample, colours), sanitize=False, tag="span").classes("sample large")
    ui.label(sample.key).classes("number").style("overflow-wrap: anywhere")
    height, width = sample.size
    ui.label(f"{width} x {height} pixels; {told(sample) or 'no label'}").classes("quiet")


def legend(names: Mapping[int, str], colours: Colours) -> None:
    """The colours of classes with their names."""
    items = (
        f'<span><i style="background:{escape(colours[number])}"></i>{escape(name)}</span>'
        for number, name in names.items()
    )
    ui.html(f'<div class="colours">{"".join(items)}</div>', sanitize=False)


def told(sample: Sample) -> str:
    """The label of an image in words."""
    if sample.boxes:
        count = len(sample.boxes)
        return f"{count} box{'' if count == 1 else 'es'}: {', '.join(sample.classes)}"
    if sample.classes:
        return ", ".join(sample.classes)
    numbers = ", ".join(f"{value:.3g}" for value in (sample.label or ())[:_NUMBERS])
    return sample.class_name or numbers


def _image(sample: Sample, colours: Colours) -> str:
    return picture_with_boxes(data_url(sample.png), sample.key, sample.boxes, colours)


def picture_with_boxes(url: str, key: str, boxes: Sequence[Box], colours: Colours) -> str:
    """An image as HTML, with its boxes over it."""
    name = escape("".join(c for c in key if c.isprintable()), quote=True)
    picture = f'<img src="{url}" alt="image {name}">'
    drawn = "".join(_rectangle(box, colours) for box in boxes)
    if not drawn:
        return picture
    return (
        f'{picture}<svg viewBox="0 0 1 1" preserveAspectRatio="none" aria-hidden="true">'
        f"{drawn}</svg>"
    )


def _rectangle(box: Box, colours: Colours) -> str:
    left, top, right, bottom = box.corners
    kind = ' class="difficult"' if box.difficult else ""
    colour = escape(colours.get(box.number, "#e6194b"), quote=True)
    return (
        f'<rect{kind} x="{left:.5f}" y="{top:.5f}" width="{max(0.0, right - left):.5f}" '
        f'height="{max(0.0, bottom - top):.5f}" stroke="{colour}"><title>{escape(box.name)}'
        "</title></rect>"
    )
